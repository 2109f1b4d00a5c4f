"""Every switch: its environment name, default and unit stand here and in README.md, "Settings"."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF

from anteroom import logging

env = environ.Env()

ROOT = Path(__file__).resolve().parents[2]

# --- where things are ---------------------------------------------------------------------------------

HOME = Path(env.str("ANTEROOM_HOME", default=str(ROOT / ".anteroom")))
"""Folder of the embedded database, the secret key, mails and logs."""

# `up` leaves the addresses of what it runs here, so that other commands find it meanwhile.
running: dict[str, str] = {}
with suppress(FileNotFoundError):
    running = json.loads((HOME / "running.json").read_text())

DEBUG = env.bool("DEBUG", default=False)
SITE_URL = env.str("SITE_URL", default=running.get("site_url", "http://localhost:8000")).rstrip("/")
"""Scheme, host and port under which people reach this installation; links and origin checks use it."""

SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    key_file = HOME / "secret_key"
    if not key_file.exists():
        from django.core.management.utils import get_random_secret_key

        HOME.mkdir(parents=True, exist_ok=True)
        key_file.touch(mode=0o600)
        key_file.write_text(get_random_secret_key())
    SECRET_KEY = key_file.read_text()

ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", urlsplit(SITE_URL).hostname or ""]
)
"""Names by which requests may address this server."""
ALLOWED_ORIGINS = env.list("ALLOWED_ORIGINS", default=[SITE_URL, SITE_URL.replace("localhost", "127.0.0.1")])
"""Full origins (scheme, host, port) whose pages may open a socket."""
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS

# --- parts --------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # Ours first, so that their templates win over those of the parts they use.
    "anteroom",
    "accounts",
    "rooms",
    "feedback",
    "anteroom.admin_site.Config",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_vite",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "anteroom.middleware.Discreet",
    "anteroom.middleware.RefusalPages",
]

ROOT_URLCONF = "anteroom.urls"
ASGI_APPLICATION = "anteroom.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    }
]

# --- data ---------------------------------------------------------------------------------------------

DATABASES = {
    "default": env.db_url(
        "DATABASE_URL", default=running.get("database_url", "postgres://anteroom@127.0.0.1:1/anteroom")
    )
}
"""A Postgres of yours, such as postgres://name:password@host:5432/anteroom; else the embedded one."""
REDIS_URL = env.str("REDIS_URL", default=running.get("redis_url", ""))
"""Channel layer and rate limits across processes; empty: in memory, for one process."""

if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # redis-py 8 would close a quiet connection after six seconds.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}]},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

COMMIT_WINDOW_MS = env.float("COMMIT_WINDOW_MS", default=2.0)
"""Commits of the rooms' logs begin at least so many milliseconds apart: fewer and larger ones under load."""

# --- what one person may send; nothing is lost beyond it, it is read more slowly ------------------------

ROOM_MESSAGES_PER_S = env.float("ROOM_MESSAGES_PER_S", default=200)
"""Messages a second that one connection may send for long; ten seconds' worth at once. 0: no limit."""
ROOM_BYTES_PER_S = env.float("ROOM_BYTES_PER_S", default=512 * 1024)
"""The same in bytes. A person's connections together may send twice as much as one. 0: no limit."""
ROOM_SOCKETS_PER_PERSON = env.int("ROOM_SOCKETS_PER_PERSON", default=12)
"""Sockets that one person may hold at once in one process. 0: no limit."""
ROOM_HANDSHAKES_PER_MINUTE = env.float("ROOM_HANDSHAKES_PER_MINUTE", default=60)
"""Sockets that one sign-in may open a minute for long; thirty at once. 0: no limit."""

# --- voice --------------------------------------------------------------------------------------------

VOICE_ADDRESSES = env.list("VOICE_ADDRESSES", default=[])
"""The machine's IP addresses that carry voice (UDP). Empty: with a SITE_URL on localhost the loopback and the
machine's own; else its public ones, or all where it has none."""
VOICE_HOST = env.str("VOICE_HOST", default="")
"""The IP address named to browsers instead of those, for a server behind a 1:1 NAT (clouds, containers)."""
VOICE_PORTS = env.str("VOICE_PORTS", default="")
"""UDP ports for voice, such as 50000-50499, one per person and address. Empty: any free port."""

# Counts tries against the limits of ACCOUNT_RATE_LIMITS; with several web processes they share it by Redis.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- people -------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.Person"
# Django's own rules over permissions come with it. One backend alone: each would hash a wrong password again.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.NewPasswordForm",
}
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_RATE_LIMITS = {  # tries per time; ours stand beside allauth's own
    "use_link": "30/m/ip",
    "mail_link": "10/m/ip,3/10m/key",
}
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
"""How many reverse proxies of yours stand in front; limits per address count whoever the outermost saw."""
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

# --- mail ---------------------------------------------------------------------------------------------

EMAIL_URL = env.str("EMAIL_URL", default="")
"""Where mails go, such as smtp+tls://name:password@host:587; empty: files under ANTEROOM_HOME/mail."""
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = HOME / "mail"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("MAIL_FROM", default="Anteroom <anteroom@localhost>")
"""Sender of every mail; its domain also stands in their Message-ID."""

# --- browsers -----------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [("app", ROOT / "frontend" / "dist")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # The build has put hashes into its names already; another hash would load the same module twice.
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/app/assets/.+[.-][\w-]{8,}\.\w+$"
WHITENOISE_MAX_AGE = 600  # seconds, for files without a hash in their name (the admin's)
DJANGO_VITE = {
    "default": {
        "manifest_path": ROOT / "frontend" / "dist" / "manifest.json",
        "static_url_prefix": "app",
    }
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],
        "style-src-attr": ["'unsafe-inline'"],  # remote carets place themselves by a style attribute
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF, SITE_URL.replace("http", "ws", 1)],
        "media-src": [SELF, "blob:"],
        "worker-src": [SELF],
        "frame-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
"""Nothing to other hosts. With "no-referrer" browsers send forms with a null origin, which is refused."""
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "anteroom.pages.csrf_refused"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

HTTPS = SITE_URL.startswith("https:")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked from inside, past the proxy
PROXY_SCHEME_HEADER = env.str("PROXY_SCHEME_HEADER", default="X-Forwarded-Proto")
"""Where the proxy that ends TLS says which scheme the browser used; with an https SITE_URL alone."""
if HTTPS:
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{PROXY_SCHEME_HEADER.upper().replace('-', '_')}", "https")
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=365 * 24 * 3600 if HTTPS else 0)
"""Seconds for which browsers insist on https."""
# One installation must not speak for its domain's other names, or for ever.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- work in the background, and the log ---------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="pgmq://")
"""Where tasks wait for the worker: a queue in the database itself. Not the Redis of the channel layer: one
that is flushed forgets which queue the worker reads, and from then on drops tasks without a word."""

LOG_FORMAT = env.str("LOG_FORMAT", default="console")
"""console: lines for people; json: one object per line."""
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
"""The least level that is written: DEBUG, INFO, WARNING or ERROR."""
LOGGING = logging.configuration(LOG_FORMAT, LOG_LEVEL)

# --- programs -----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PARSER_CLASSES": ["anteroom.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "anteroom.api.refuse",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Anteroom",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "displayRequestDuration": True,
        "validatorUrl": None,
        "defaultModelsExpandDepth": -1,
    },
    # Enumerations stand where they are used: many fields share a name, few share a meaning.
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,
}

# --- words and time -----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
