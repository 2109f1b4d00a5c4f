"""Forms of the door. django-allauth's own are only given our words here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account import forms as allauth_forms
from django import forms

from accounts.models import Person

if TYPE_CHECKING:
    PersonForm = forms.ModelForm[Person]
else:  # Django's class takes a parameter for the type checker alone
    PersonForm = forms.ModelForm

EMAIL_ERRORS = {
    "required": "Write your e-mail address.",
    "invalid": "Write an e-mail address, such as you@example.org.",
}


class LinkForm(forms.Form):
    email = forms.EmailField(
        label="E-mail",
        error_messages=EMAIL_ERRORS,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class ProfileForm(PersonForm):
    profile_url = forms.URLField(
        label="Profile link",
        required=False,
        max_length=200,
        assume_scheme="https",
        help_text="The same: only after a mutual unmask. Such as https://github.com/you.",
        widget=forms.URLInput(attrs={"autocomplete": "url"}),
        error_messages={"invalid": "Write a full address, such as https://github.com/you."},
    )

    class Meta:
        model = Person
        fields = ("name", "profile_url", "employer")
        help_texts = {
            "name": "Shown to the other side only if you both choose to unmask.",
            "employer": "Never shown to anyone. The mask guard warns you before you type it in a room.",
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "employer": forms.TextInput(attrs={"autocomplete": "organization"}),
        }


def _say(form: forms.BaseForm, name: str, label: str, *, required: str, help_text: str = "") -> None:
    """Our words on a field of somebody else's form; placeholders go, since they vanish while one types."""
    field = form.fields.get(name)
    if field is None:
        return
    field.label, field.help_text = label, help_text
    field.widget.attrs.pop("placeholder", None)
    field.error_messages["required"] = required


def _ask_for_a_new_password(form: forms.BaseForm) -> None:
    """The two fields that choosing, changing and resetting a password share."""
    _say(
        form, "password1", "New password", required="Choose a password.", help_text="At least 10 characters."
    )
    _say(form, "password2", "The same again", required="Write it a second time.")


class SignInForm(allauth_forms.LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, "login", "E-mail", required=EMAIL_ERRORS["required"])
        self.fields["login"].error_messages["invalid"] = EMAIL_ERRORS["invalid"]
        _say(self, "password", "Password", required="Write your password.")
        _say(self, "remember", "Keep me signed in on this device", required="")


class SignUpForm(allauth_forms.SignupForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, "email", "E-mail", required=EMAIL_ERRORS["required"], help_text="Never shown in a room.")
        self.fields["email"].error_messages["invalid"] = EMAIL_ERRORS["invalid"]
        _say(
            self, "password1", "Password", required="Choose a password.", help_text="At least 10 characters."
        )


class ResetPasswordForm(allauth_forms.ResetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, "email", "E-mail", required=EMAIL_ERRORS["required"])
        self.fields["email"].error_messages["invalid"] = EMAIL_ERRORS["invalid"]


class NewPasswordForm(allauth_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_for_a_new_password(self)


class ChangePasswordForm(allauth_forms.ChangePasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, "oldpassword", "Current password", required="Write your current password.")
        _ask_for_a_new_password(self)


class SetPasswordForm(allauth_forms.SetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_for_a_new_password(self)
