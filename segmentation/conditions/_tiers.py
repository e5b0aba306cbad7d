"""What the conditions on tiers share: choosing several of a fixed list, and for how long it has been so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from segmentation.conditions import Field, Option, Sql, listed

if TYPE_CHECKING:
    from segmentation.compiler import Query

SINCE = Field(
    "days",
    gettext_lazy("Entered within, in days"),
    "days",
    optional=True,
    before=pgettext_lazy("since", "entered in the last"),
    after=pgettext_lazy("since", "days"),
    placeholder=pgettext_lazy("since", "any"),
)


def which(name: str, options: tuple[Option, ...], default: tuple[str, ...]) -> Field:
    """The input that takes several tiers."""
    return Field(name, gettext_lazy("Which"), "many", options, default=default)


def tier_sql(column: str, keys: list[str], days: int | None, query: Query) -> Sql:
    """The tier in `column` is one of the keys, and was entered within the days if any are given."""
    if days is None:
        return f"{column} = any(%s)", [keys]
    return f"{column} = any(%s) and {column}_since > %s::date - %s", [keys, query.day, days]


def describe_tier(
    options: tuple[Option, ...], predicates: dict[str, Any], keys: list[str], days: int | None = None
) -> str:
    """One tier by its predicate, several by their names."""
    labels = {option.key: option.label for option in options}
    one_of = _("is one of %(names)s") % {"names": listed([labels[key] for key in keys])}
    phrase = str(predicates.get(keys[0], one_of)) if len(keys) == 1 else one_of
    if days is None:
        return phrase
    window = ngettext("since the last %(n)s day", "since the last %(n)s days", days) % {"n": days}
    return f"{phrase} ({window})" if window.isascii() else f"{phrase}（{window}）"
