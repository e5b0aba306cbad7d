"""Forms of the import and event-meaning pages: what an operator chose, read into the types the services take."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from users.csv_files import DELIMITERS, Layout
from users.csv_mapping import PROPERTY, ROLES, SKIP, TIME_FORMATS, Mapping

ROLE_LABELS = {
    "external_id": _("User id"),
    "time": _("Time"),
    "amount": _("Amount"),
    "order_id": _("Order number"),
    "event": _("Event name"),
    "message_id": _("Unique row id"),
    "name": _("User's name"),
    "email": _("User's email"),
    "phone": _("User's phone"),
    "city": _("User's city"),
    "source": _("User's source"),
    PROPERTY: _("Keep as a property"),
    SKIP: _("Leave out"),
}
TIME_LABELS = {"iso": _("2026-08-31 or 2026-08-31 09:30"), "epoch": _("Unix seconds or milliseconds")}
DELIMITER_LABELS = {
    "comma": _("Comma"),
    "tab": _("Tab"),
    "semicolon": _("Semicolon"),
    "pipe": _("Vertical bar"),
    "whitespace": _("Spaces"),
}
ENCODING_LABELS = {"utf-8-sig": "UTF-8", "gb18030": "GB18030 (GBK)"}
assert set(ROLE_LABELS) == {*ROLES, PROPERTY, SKIP} and set(DELIMITER_LABELS) == set(DELIMITERS)


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("CSV file of orders or events"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
        help_text=_("One order or event a row, with a user id and a time. UTF-8 or GBK, up to 200 MB."),
    )


class LayoutForm(forms.Form):
    """How to read the file, where the guess was wrong."""

    delimiter = forms.ChoiceField(label=_("Columns are separated by"), choices=list(DELIMITER_LABELS.items()))
    encoding = forms.ChoiceField(label=_("Text encoding"), choices=list(ENCODING_LABELS.items()))
    header = forms.BooleanField(label=_("The first row names the columns"), required=False)


class MappingForm(forms.Form):
    """What is the same for all columns. Roles of columns come beside it, as role-0, role-1 …"""

    event = forms.CharField(
        label=_("Event"),
        max_length=200,
        required=False,
        help_text=_("What every row is, unless a column tells it. Orders: Order Completed."),
    )
    time_format = forms.ChoiceField(
        label=_("Times look like"), choices=[(key, TIME_LABELS.get(key, key)) for key in TIME_FORMATS]
    )
    id_numbers = forms.BooleanField(
        label=_("User ids are whole numbers"), required=False, help_text=_("Then 0001 and 1 are the same user.")
    )
    sum_items = forms.BooleanField(
        label=_("A row is one item of an order"),
        required=False,
        help_text=_("The amounts of the rows with one order number are added up; they stand together in the file."),
    )

    def mapping(self, layout: Layout, data: QueryDict) -> Mapping:
        """The mapping as chosen; columns whose choice is not known are kept as properties."""
        roles = {}
        for place, column in enumerate(layout.columns):
            role = data.get(f"role-{place}", PROPERTY)
            roles[column] = role if role in ROLE_LABELS else PROPERTY
        cleaned: dict[str, Any] = self.cleaned_data
        return Mapping(
            roles, cleaned["event"] or "", *(cleaned[name] for name in ("time_format", "id_numbers", "sum_items"))
        )


def initial_of(layout: Layout, mapping: Mapping) -> dict[str, Any]:
    return {
        "delimiter": layout.delimiter,
        "encoding": layout.encoding,
        "header": layout.header,
        "event": mapping.event,
        "time_format": mapping.time_format,
        "id_numbers": mapping.id_numbers,
        "sum_items": mapping.sum_items,
    }
