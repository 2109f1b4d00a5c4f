from django.apps import AppConfig


class AnteroomConfig(AppConfig):
    name = "anteroom"
    default_auto_field = "django.db.models.BigAutoField"
