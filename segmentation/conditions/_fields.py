"""The inputs a condition declares. The builder draws itself from them, and every value passes through `Field.clean`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

from django.utils.translation import gettext as _

from workspaces.errors import DomainError

if TYPE_CHECKING:
    from segmentation.vocabulary import Vocabulary

Kind = Literal["select", "pick", "many", "text", "texts", "count", "number", "days", "date"]

TEXT_LENGTH = 200
MOST_VALUES = 500
MOST_DAYS = 3650
# Counts are compared with bigint, amounts with numeric.
LARGEST_COUNT = 2**63 - 1
LARGEST_NUMBER = Decimal(10) ** 15
SEPARATORS = re.compile(r"[,，、;；\n]")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select. `type` lets the choice of another field decide which options are offered."""

    key: str
    label: Any
    type: str = ""


Choices = Iterable[Option] | Callable[["Vocabulary"], Iterable[Option]]


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a condition.

    kind: `select` one of choices, `many` several of them, `pick` one of them or another text, `text` and `texts` free
        (choices are suggestions), `count` and `days` whole numbers, `number` any finite one, `date` an ISO day.
    before, after: words around the input, so that the row reads as a sentence.
    typed_by: another field whose chosen option's `type` must be among the comma-separated types of this one's options.
    when: (other field, values): shown and required only while that field has one of the values; no values means any.
    suggest: what the builder may ask the server to suggest for this input (see `views.suggest`).
    """

    name: str
    label: Any
    kind: Kind = "text"
    choices: Choices = ()
    default: Any = ""
    optional: bool = False
    before: Any = ""
    after: Any = ""
    placeholder: Any = ""
    typed_by: str = ""
    when: tuple[str, tuple[str, ...]] | None = None
    suggest: str = ""

    def options(self, vocabulary: Vocabulary) -> list[Option]:
        return list(self.choices(vocabulary) if callable(self.choices) else self.choices)

    def applies(self, values: dict[str, Any]) -> bool:
        """Whether this input has a say, given what the other inputs hold."""
        if self.when is None:
            return True
        name, wanted = self.when
        held = values.get(name)
        return held in wanted if wanted else held not in (None, "", [])

    def clean(self, value: Any, vocabulary: Vocabulary) -> Any:
        """The value as it is stored, None when left empty. Raises DomainError with a sentence for the input."""
        if value in (None, "", []):
            if self.optional:
                return None
            raise DomainError("required", _("Fill this in."), self.name)
        try:
            return CLEANERS[self.kind](self, value, vocabulary)
        except DomainError as error:
            raise DomainError(error.code, error.message, self.name) from None


def refuse(message: str, code: str = "invalid_value") -> DomainError:
    return DomainError(code, message)


def clean_text(field: Field, value: Any, vocabulary: Vocabulary) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise refuse(_("Enter a text."))
    text = str(value).strip()
    if not text:
        raise refuse(_("Fill this in."), "required")
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise refuse(_("This text has characters that cannot be stored."))
    if len(text) > TEXT_LENGTH:
        raise refuse(_("At most %(n)s characters.") % {"n": TEXT_LENGTH})
    return text


def clean_texts(field: Field, value: Any, vocabulary: Vocabulary) -> list[str]:
    parts = SEPARATORS.split(value) if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise refuse(_("Enter one value, or several separated by commas."))
    if len(parts) > MOST_VALUES:
        raise refuse(_("At most %(n)s values.") % {"n": MOST_VALUES})
    texts = [clean_text(field, part, vocabulary) for part in parts if part != "" and str(part).strip()]
    if not texts:
        raise refuse(_("Fill this in."), "required")
    return list(dict.fromkeys(texts))


def clean_select(field: Field, value: Any, vocabulary: Vocabulary) -> str:
    if not isinstance(value, str) or value not in {option.key for option in field.options(vocabulary)}:
        raise refuse(_("Choose one of the options."), "unknown_operator")
    return value


def clean_many(field: Field, value: Any, vocabulary: Vocabulary) -> list[str]:
    wanted = [value] if isinstance(value, str) else value
    keys = [option.key for option in field.options(vocabulary)]
    if not isinstance(wanted, list) or any(not isinstance(one, str) or one not in keys for one in wanted):
        raise refuse(_("Choose among the options."), "unknown_operator")
    return [key for key in keys if key in wanted]


def clean_whole(value: Any, least: int, most: int) -> int:
    number = to_decimal(value)
    if number != number.to_integral_value():
        raise refuse(_("Enter a whole number."))
    if not least <= number <= most:
        raise refuse(_("From %(least)s to %(most)s.") % {"least": least, "most": most})
    return int(number)


def clean_count(field: Field, value: Any, vocabulary: Vocabulary) -> int:
    return clean_whole(value, 0, LARGEST_COUNT)


def clean_days(field: Field, value: Any, vocabulary: Vocabulary) -> int:
    return clean_whole(value, 1, MOST_DAYS)


def clean_number(field: Field, value: Any, vocabulary: Vocabulary) -> int | float:
    number = to_decimal(value)
    if abs(number) >= LARGEST_NUMBER:
        raise refuse(_("This number is too large."))
    return int(number) if number == number.to_integral_value() else float(number)


def to_decimal(value: Any) -> Decimal:
    """The finite number in a JSON number or in what somebody typed. Raises DomainError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 40:
        raise refuse(_("Enter a number."))
    try:
        number = Decimal(str(value).strip().replace(",", "").replace("，", ""))
    except InvalidOperation:
        raise refuse(_("Enter a number.")) from None
    if not number.is_finite() or number.adjusted() > 30 or number.adjusted() < -30:
        raise refuse(_("Enter a number."))
    return number


def clean_date(field: Field, value: Any, vocabulary: Vocabulary) -> str:
    try:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
            raise ValueError
        return date.fromisoformat(value.strip()).isoformat()
    except ValueError:
        raise refuse(_("Enter a day such as 2026-08-31.")) from None


CLEANERS: dict[str, Callable[[Field, Any, Any], Any]] = {
    "select": clean_select,
    "pick": clean_text,
    "many": clean_many,
    "text": clean_text,
    "texts": clean_texts,
    "count": clean_count,
    "number": clean_number,
    "days": clean_days,
    "date": clean_date,
}
