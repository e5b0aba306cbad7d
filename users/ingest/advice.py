"""What a developer does about a refused item, one sentence per code. Keys are the codes that items are refused with."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

SENTENCES = {
    "event_too_large": gettext_lazy("Send less than 32 KB per event: long texts and lists belong elsewhere."),
    "invalid_email": gettext_lazy("Check the address where it is typed in, or leave the email out."),
    "invalid_identifier": gettext_lazy(
        "The id names nobody, or the same person twice: send an id only once the user is known, never null, 0 or undefined."
    ),
    "invalid_json": gettext_lazy("Write the item with a JSON library, in UTF-8; do not put it together from texts."),
    "invalid_string": gettext_lazy("Take control characters and half emoji out of the text before sending it."),
    "invalid_timestamp": gettext_lazy(
        "Send a time with its zone, such as 2026-08-31T09:00:00+08:00, and check the clock of the device."
    ),
    "invalid_type": gettext_lazy(
        "The field has another type than expected: compare the example with the path it names."
    ),
    "missing_event": gettext_lazy("Give the event a name."),
    "missing_identifier": gettext_lazy("Say who did it: call identify first, or send the visitor's id along."),
    "number_out_of_range": gettext_lazy("Send numbers below 1e15, and long order numbers as text."),
    "other_currency": gettext_lazy("Convert the amount into the currency of this project before sending it."),
    "too_deep": gettext_lazy("Flatten the properties: at most 20 levels fit into one another."),
    "too_long": gettext_lazy("Shorten it: ids have at most 255 characters, event names 200."),
    "too_many_names": gettext_lazy(
        "There are 5,000 event names already: put what varies (a page, a product) into a property, not into the name."
    ),
    "too_many_properties": gettext_lazy("Send at most 255 properties with one event."),
    "too_many_values": gettext_lazy("Append at most 500 texts to a list attribute; longer lists belong into events."),
    "unknown_type": gettext_lazy("Send one of the types that the message lists, or update the SDK."),
}


def advice(code: str) -> str:
    """What to do about it, in the reader's language."""
    return str(SENTENCES.get(code) or _("Compare the example with the message beside it."))
