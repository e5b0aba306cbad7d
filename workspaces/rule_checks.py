"""What values a setting can have: one check per setting, and the sentence that says what it would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workspaces.errors import DomainError
from workspaces.rules import LEAST_MONTHS, MOST_EXPORT_DAYS, MOST_MONTHS

LONGEST_NAME = 30
MOST_NAMES = 100
MONEY = 10**15


def whole(value: Any, least: int, most: int) -> bool:
    """Whether it is a whole number within bounds; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and "\x00" not in value


def rising(value: Any, least: int, most: int) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(whole(number, least, most) for number in value)
        and list(value) == sorted(set(value))
    )


def are_cuts(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) <= set("rfm")
        and all(rising(points, -MONEY, MONEY) and len(points) == 4 for points in value.values())
    )


def are_axes(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(is_text(fact, 50) for fact in value)


def are_names(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MOST_NAMES
        and all(is_text(name, LONGEST_NAME) and name.strip() for name in value.values())
    )


Check = tuple[Callable[[Any], bool], Any, dict[str, Any]]


def _up_to(most: int = 3650) -> Check:
    return (lambda value: whole(value, 1, most), gettext_lazy("A whole number from 1 to %(most)s."), {"most": most})


def _one_of(*names: str) -> Check:
    return (names.__contains__, gettext_lazy("Choose one of: %(names)s."), {"names": ", ".join(names)})


PERCENT: Check = (lambda value: whole(value, 1, 100), gettext_lazy("A percentage from 1 to 100."), {})
FLAG: Check = (lambda value: isinstance(value, bool), gettext_lazy("true or false."), {})
TEXT: Check = (lambda value: is_text(value, 100), gettext_lazy("Text of at most %(most)s characters."), {"most": 100})
CHECKS: dict[str, Check] = {
    "habit_days": _up_to(),
    "habit_window": _up_to(),
    "limit_rule": _one_of("fixed", "personal", "with_balance"),
    "limit_days": _up_to(),
    "limit_min": _up_to(),
    "limit_max": _up_to(),
    "balance_attribute": TEXT,
    "balance_floor": (lambda value: whole(value, -MONEY, MONEY), gettext_lazy("A whole number."), {}),
    "slipping_percent": PERCENT,
    "warn_halved": FLAG,
    "warn_complaint": FLAG,
    "warn_failed": FLAG,
    "warn_balance": FLAG,
    "recommendation_days": _up_to(),
    "subsidy_percent": PERCENT,
    "pay_stage": FLAG,
    "rfm_window": (
        lambda value: value is None or whole(value, 1, 3650),
        gettext_lazy("A whole number of days, or empty for all of history."),
        {},
    ),
    "rfm_method": _one_of("quantile", "fixed"),
    "rfm_cuts": (are_cuts, gettext_lazy("For each of r, f and m four rising whole numbers."), {}),
    "value_class_by": _one_of("mean", "scores"),
    "rfm_best_group": TEXT,
    "rfm_axes": (are_axes, gettext_lazy("Three metrics, for R, F and M."), {}),
    "names": (are_names, gettext_lazy("Names of at most %(most)s characters."), {"most": LONGEST_NAME}),
    "value_buyers": _up_to(1_000_000),
    "value_repeaters": _up_to(1_000_000),
    "margin_percent": PERCENT,
    "effective_days": _up_to(),
    "recall_days": (lambda value: rising(value, 1, 3650), gettext_lazy("Rising whole numbers of days."), {}),
    "conversion_days": _up_to(30),
    "consent_required": FLAG,
    "keep_events_months": (
        lambda value: value is None or whole(value, LEAST_MONTHS, MOST_MONTHS),
        gettext_lazy("A whole number of months from %(least)s, or empty to keep all."),
        {"least": LEAST_MONTHS},
    ),
    "keep_exports_days": _up_to(MOST_EXPORT_DAYS),
    "night_late_minutes": _up_to(1440),
    "jump_percent": _up_to(1000),
}


def check_setting(key: str, value: Any) -> None:
    """Raises DomainError where there is no such setting, or the value cannot be one of it."""
    if key not in CHECKS:
        raise DomainError("unknown", _("There is no setting called %(name)s.") % {"name": key}, key)
    check, sentence, words = CHECKS[key]
    if not check(value):
        raise DomainError("invalid", str(sentence) % words, key)
