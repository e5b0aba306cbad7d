"""Comparisons of texts that several conditions share: how they are compiled and how they are said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from segmentation.conditions import Sql
from segmentation.conditions._fields import to_decimal
from workspaces.errors import DomainError

# A text that Postgres can certainly read as a number: the cast must never fail on what somebody's app sent.
NUMERIC = "^-?[0-9]+([.][0-9]+)?$"
ISO_DAY = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def text_sql(column: str, params: list[Any], compare: str, value: Any) -> Sql:
    """Compare a text expression (with its own `params`) with a value. Null and "" are both "not known"."""
    if compare == "is":
        return f"{column} = %s", [*params, value]
    if compare == "is_not":
        return f"{column} is distinct from %s", [*params, value]
    if compare == "one_of":
        return f"{column} = any(%s)", [*params, value]
    if compare == "contains":
        # Not LIKE: "%" and "_" in what somebody typed mean themselves.
        return f"strpos(lower({column}), lower(%s)) > 0", [*params, value]
    if compare in ("at_least", "at_most"):
        sign = ">=" if compare == "at_least" else "<="
        return f"case when {column} ~ '{NUMERIC}' then ({column})::numeric {sign} %s end", [*params, *params, value]
    if compare in ("before", "from"):
        # As text, in the C collation: ISO days sort like days, and an impossible one cannot fail a cast.
        sign = "<" if compare == "before" else ">="
        return f"case when {column} ~ '{ISO_DAY}' then left({column}, 10) collate \"C\" {sign} %s end", [
            *params,
            *params,
            value,
        ]
    if compare == "known":
        return f"{column} <> ''", params
    if compare == "unknown":
        return f"coalesce({column}, '') = ''", params
    raise LookupError(f"no comparison {compare!r}")


def json_sql(column: str, key: str, compare: str, value: Any) -> Sql:
    """The same for one key of a JSON object."""
    return text_sql(f"({column} ->> %s)", [key], compare, value)


def typed_sql(column: str, key: str, kind: str, compare: str, value: Any) -> Sql:
    """The same for a key whose type is known ("": it is not): values of another type count as not known."""
    if compare in ("yes", "no"):
        compare, value = "is", "true" if compare == "yes" else "false"
    if not kind:
        return json_sql(column, key, compare, value)
    fits = f"attribute_fits({column} -> %s, %s)"
    if kind == "list" and compare == "contains":
        return f"{fits} and ({column} -> %s) ? %s", [key, kind, key, value]
    text, params = f"(case when {fits} then {column} ->> %s end)", [key, kind, key]
    if kind == "number" and compare in ("is", "is_not", "one_of"):
        numbers = [number for one in as_list(value) if (number := as_number(one)) is not None]
        same = f"{text}::numeric = any(%s::numeric[])"
        return f"({same}) is not true" if compare == "is_not" else same, [*params, numbers]
    return text_sql(text, params, compare, value)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def as_number(text: Any) -> Decimal | None:
    """The number somebody typed as a text; None for what is none."""
    try:
        return to_decimal(text)
    except DomainError:
        return None


def describe(name: Any, compare: str, value: Any = None) -> str:
    """ "city is 上海" as a predicate. Raises LookupError for a comparison nobody defined."""
    sentences = {
        "is": _("%(name)s is %(value)s"),
        "is_not": _("%(name)s is not %(value)s"),
        "one_of": _("%(name)s is one of %(value)s"),
        "contains": _("%(name)s contains “%(value)s”"),
        "at_least": _("%(name)s is at least %(value)s"),
        "at_most": _("%(name)s is at most %(value)s"),
        "exactly": _("%(name)s is exactly %(value)s"),
        "before": _("%(name)s is before %(value)s"),
        "from": _("%(name)s is on or after %(value)s"),
        "yes": pgettext("fact", "%(name)s: yes"),
        "no": pgettext("fact", "%(name)s: no"),
        "known": _("%(name)s is known"),
        "unknown": _("%(name)s is not known"),
    }
    return sentences[compare] % {"name": name, "value": value}
