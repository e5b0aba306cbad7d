"""Forms of the settings pages: members, keys, joining. Those of the thresholds: ops_platform/rules_form.py."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from workspaces.models import Operator
from workspaces.permissions import ROLES, roles_up_to

ROLE_NAMES = {
    "owner": pgettext_lazy("role", "Owner"),
    "admin": pgettext_lazy("role", "Admin"),
    "operator": pgettext_lazy("role", "Operator"),
    "analyst": pgettext_lazy("role", "Analyst"),
}
ROLE_CHOICES = [(role, ROLE_NAMES[role]) for role in ROLES]


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("Email address"), max_length=254)
    role = forms.ChoiceField(label=_("Role"), choices=ROLE_CHOICES, initial="operator")


class KeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Where it will be used: website, data warehouse …")
    )
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[("write", _("Write key: sends events")), ("api", _("API key: reads and manages"))]
    )
    role = forms.ChoiceField(label=_("Role of an API key"), initial="analyst")

    def __init__(self, *arguments: Any, maker: str, **options: Any) -> None:
        """`maker`: the role of whoever makes it, which a key does not exceed."""
        super().__init__(*arguments, **options)
        self.fields["role"].choices = [(role, ROLE_NAMES[role]) for role in roles_up_to(maker)]  # type: ignore[attr-defined]


class LimitForm(forms.Form):
    """How much a write key may send."""

    events_per_second = forms.IntegerField(
        label=_("Events per second"),
        min_value=1,
        max_value=100_000,
        required=False,
        help_text=_("Empty for no limit. What is more is answered with 429; SDKs keep it and send it again."),
    )
    burst = forms.IntegerField(
        label=_("Events at once"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=_("So many may come in one moment. Empty for ten seconds' worth, and no fewer than 2,500."),
    )


class JoinForm(forms.Form):
    """Name and password of somebody who is new to the product."""

    name = forms.CharField(label=_("Your name"), max_length=100)
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )

    def __init__(self, *arguments: Any, email: str, **options: Any) -> None:
        self.email = email
        super().__init__(*arguments, **options)

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        validate_password(password, Operator(email=self.email, name=self.cleaned_data.get("name", "")))
        return password
