"""Forms of the import and event-meaning pages: what an operator chose, read into the types the services take."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from users.csv_files import DELIMITERS, Layout
from users.csv_mapping import TIME_FORMATS, Mapping
from users.import_kinds import KINDS, PROPERTY, ROLES, SKIP
from users.import_words import sentence

ROLE_LABELS = {
    "external_id": _("User id"),
    "time": _("Time"),
    "amount": _("Amount"),
    "order_id": _("Order number"),
    "event": _("Event name"),
    "message_id": _("Unique row id"),
    "currency": _("Currency"),
    "refund": _("Whether it is a refund"),
    "name": _("User's name"),
    "email": _("User's email"),
    "phone": _("User's phone"),
    "city": _("User's city"),
    "source": _("User's source"),
    "locale": _("User's language"),
    "zone": _("User's time zone"),
    "registered_at": _("Registration day"),
    "tags": _("Tags"),
    "consent_email": _("Agrees to email (only a no counts)"),
    "consent_sms": _("Agrees to SMS (only a no counts)"),
    "consent_push": _("Agrees to push (only a no counts)"),
    "channel": _("Channel"),
    "opted_in": _("Agrees or not"),
    PROPERTY: _("Keep as a property"),
    SKIP: _("Leave out"),
}
KIND_LABELS = {
    "events": _("Events"),
    "orders": pgettext_lazy("import", "Orders"),
    "users": _("Users"),
    "consents": _("Consents"),
}
SHOWN_TIME = datetime(2026, 8, 31, 9, 30)  # noqa: DTZ001 - an example; of its day nobody takes 31 for the month
TIME_LABELS = {
    **{key: re.sub("%.", lambda part: SHOWN_TIME.strftime(part[0]), key) for key in TIME_FORMATS},
    "iso": _("2026-08-31 or 2026-08-31 09:30"),
    "epoch": _("Unix seconds or milliseconds"),
}
DELIMITER_LABELS = {
    "comma": _("Comma"),
    "tab": _("Tab"),
    "semicolon": _("Semicolon"),
    "pipe": _("Vertical bar"),
    "whitespace": _("Spaces"),
}
ENCODING_LABELS = {"utf-8-sig": "UTF-8", "gb18030": "GB18030 (GBK)"}
assert set(KIND_LABELS) == set(KINDS)
assert set(ROLE_LABELS) == {*ROLES, PROPERTY, SKIP}, set(ROLE_LABELS) ^ {*ROLES, PROPERTY, SKIP}
assert set(DELIMITER_LABELS) == set(DELIMITERS)


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File of users, events, orders or consents"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx,text/csv,text/plain"}),
        help_text=_("CSV or Excel (.xlsx), one a row, each with a user id. Up to 200 MB and 2 million rows."),
    )


class KindForm(forms.Form):
    """What the file is about, where the guess was wrong."""

    kind = forms.ChoiceField(choices=list(KIND_LABELS.items()))


class LayoutForm(forms.Form):
    """How to read the file, where the guess was wrong."""

    delimiter = forms.ChoiceField(label=_("Columns are separated by"), choices=list(DELIMITER_LABELS.items()))
    encoding = forms.ChoiceField(label=_("Text encoding"), choices=list(ENCODING_LABELS.items()))
    header = forms.BooleanField(label=_("The first row names the columns"), required=False)


# What the form says of a mapping, besides what its columns are.
CHOICES = ("event", "time_format", "id_numbers", "sum_items", "loosen")


class MappingForm(forms.Form):
    """What is the same for all columns. Roles of columns come beside it, as role-0, role-1 …"""

    event = forms.CharField(
        label=_("Event"),
        max_length=200,
        required=False,
        help_text=_("What every row is, unless a column tells it. Orders: Order Completed."),
    )
    time_format = forms.ChoiceField(
        label=_("Times look like"), choices=[(key, TIME_LABELS[key]) for key in TIME_FORMATS]
    )
    id_numbers = forms.BooleanField(
        label=_("User ids are whole numbers"), required=False, help_text=_("Then 0001 and 1 are the same user.")
    )
    sum_items = forms.BooleanField(
        label=_("A row is one item of an order"),
        required=False,
        help_text=_("The amounts of the rows with one order number are added up; they stand together in the file."),
    )

    loosen = forms.BooleanField(
        label=_("Take in opt-ins too"),
        required=False,
        help_text=_("Otherwise only opt-outs are taken in, and opt-ins are listed as refused."),
    )
    confirmed = forms.BooleanField(
        label=_("I confirm that these people agreed, and that there is proof of it"), required=False
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("loosen") and not cleaned.get("confirmed"):
            self.add_error("confirmed", sentence("not_confirmed"))
        return cleaned

    def mapping(self, layout: Layout, kept: Mapping) -> Mapping:
        """The mapping as chosen, for the kind of file of `kept`, which also stands in for what cannot be read; columns whose
        choice is not known are kept as properties."""
        roles = {}
        for place, column in enumerate(layout.columns):
            role = self.data.get(f"role-{place}", PROPERTY)
            roles[column] = role if role in ROLE_LABELS else PROPERTY
        told = {name: self.cleaned_data[name] for name in CHOICES if name in self.cleaned_data}
        told["loosen"] = kept.kind == "consents" and self.cleaned_data["loosen"]
        return replace(kept, roles=roles, **told)


def initial_of(layout: Layout, mapping: Mapping) -> dict[str, Any]:
    return {
        "delimiter": layout.delimiter,
        "encoding": layout.encoding,
        "header": layout.header,
        **{name: getattr(mapping, name) for name in CHOICES},
    }
