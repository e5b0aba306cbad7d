"""Industry presets and the thresholds a workspace may change. The numbers come from docs/definitions.md."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

# No shorter: conversions, late events and the pages look back so far.
LEAST_MONTHS = 3
MOST_MONTHS = 240
MOST_EXPORT_DAYS = 90
ROLES = ("core", "habit", "order", "refund", "pay", "passive")
# The axes of buyers: days since the last order, orders and revenue of the window.
ORDER_AXES = ("last_order_on", "window_orders", "window_revenue_minor")
# The first step of the night that reads a setting; whatever comes after it follows. What is missing here moves nobody.
FIRST_STEP = {
    "habit_days": "facts",
    "habit_window": "facts",
    "recommendation_days": "facts",
    "subsidy_percent": "facts",
    "effective_days": "facts",
    "rfm_window": "facts",
    "limit_rule": "activity",
    "limit_days": "activity",
    "limit_min": "activity",
    "limit_max": "activity",
    "balance_attribute": "activity",
    "balance_floor": "activity",
    "slipping_percent": "activity",
    "warn_halved": "activity",
    "warn_complaint": "activity",
    "warn_failed": "activity",
    "warn_balance": "activity",
    "pay_stage": "stages",
    "rfm_axes": "rfm",
    "rfm_method": "rfm",
    "rfm_cuts": "rfm",
    "value_class_by": "rfm",
    "value_buyers": "value",
    "value_repeaters": "value",
}


@dataclass(frozen=True)
class Rules:
    """Every threshold of one workspace. `settings` JSON holds only what differs from the preset."""

    # 习惯: habit events on at least `habit_days` distinct days within a window of `habit_window` days.
    habit_days: int = 4
    habit_window: int = 14
    # 流失: `fixed` days, `personal` rhythm, or personal `with_balance` at or below a floor.
    limit_rule: str = "personal"
    limit_days: int = 30
    limit_min: int = 7
    limit_max: int = 90
    balance_attribute: str = "balance"
    balance_floor: int = 0
    slipping_percent: int = 60
    # Further signals that make somebody slipping before they stay away (lifecycle/signals.py).
    warn_halved: bool = False
    warn_complaint: bool = False
    warn_failed: bool = False
    warn_balance: bool = False
    # 死忠
    recommendation_days: int = 365
    subsidy_percent: int = 80
    # 付费: only where paying is not the core action itself.
    pay_stage: bool = False
    # RFM: window in days (None = all), quantile or fixed cut points, and how the eight classes split.
    rfm_window: int | None = 365
    rfm_method: str = "quantile"
    rfm_cuts: dict[str, list[int]] = field(default_factory=dict)
    value_class_by: str = "mean"
    rfm_best_group: str = "champions"
    # What R, F and M are: three facts, of which the first two make the board.
    rfm_axes: tuple[str, str, str] = ORDER_AXES
    # What this workspace calls stages, groups and classes: {"rfm.champions": "铁粉"}.
    names: dict[str, str] = field(default_factory=dict)
    # 价值预测: fewer buyers, or fewer who came again, tell nothing; 毛利率, for the days until a cost is earned back.
    value_buyers: int = 500
    value_repeaters: int = 100
    margin_percent: int = 100
    # 有效新客, 召回阶梯, 转化窗口
    effective_days: int = 7
    recall_days: tuple[int, ...] = (7, 15, 30)
    conversion_days: int = 7
    consent_required: bool = False
    # So many months of events before this one are kept; None = all.
    keep_events_months: int | None = None
    # Files of exports are kept for so many days.
    keep_exports_days: int = 7
    # Operators are told of a night so many minutes after its hour, and of counts that differ by more between two nights.
    night_late_minutes: int = 60
    jump_percent: int = 30

    @classmethod
    def of(cls, industry: str, overrides: dict[str, Any]) -> Rules:
        """The preset of the industry with overrides; unknown keys are ignored so that old settings never break a night."""
        known = {f.name for f in fields(cls)}
        # JSON has no tuples.
        own: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in overrides.items() if k in known}
        return replace(PRESETS.get(industry, NONE).rules, **own)

    @property
    def signals_on(self) -> list[str]:
        """Keys of the further warning signals that are switched on."""
        return [key for key in ("halved", "complaint", "failed", "balance") if getattr(self, f"warn_{key}")]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Preset:
    """What choosing an industry sets: the thresholds and which event names play which role."""

    rules: Rules
    roles: dict[str, tuple[str, ...]]


PASSIVE = (
    "Order Refunded",
    "Order Shipped",
    "Order Delivered",
    "Coupon Granted",
    "Coupon Expired",
    "Points Earned",
    "Points Granted",
    "Points Expired",
    "Push Delivered",
    "Email Delivered",
    "Email Opened",
    "Message Delivered",
    "Message Opened",
    "Subscription Renewed",
    "Application Backgrounded",
    "Profile Updated",
    "Ticket Resolved",
)


def _preset(
    core: tuple[str, ...],
    habit: tuple[str, ...] | None = None,
    pay: tuple[str, ...] = (),
    money: tuple[str, ...] = (),
    **rules: Any,
) -> Preset:
    """`money`: what is paid beside orders; like whatever pays, it is revenue, which M of the preset counts."""
    roles = {
        "core": core,
        "habit": habit or core,
        "order": ("Order Completed", *money, *pay),
        "refund": ("Order Refunded",),
        "pay": pay,
        "passive": PASSIVE,
    }
    return Preset(Rules(**rules), roles)


def _window(
    habit: tuple[int, int], limit: tuple[int, int, int], rule: str = "personal", pay_stage: bool = False
) -> dict:
    return {
        "habit_days": habit[0],
        "habit_window": habit[1],
        "limit_days": limit[0],
        "limit_min": limit[1],
        "limit_max": limit[2],
        "limit_rule": rule,
        "pay_stage": pay_stage,
    }


PAY = ("Membership Purchased",)
ORDERS = {"order": ("Order Completed",), "refund": ("Order Refunded",), "passive": PASSIVE}
# Where people come rather than buy: days since the last visit, habit days, money of the window.
VISIT_AXES = ("last_seen_on", "habit_days", "window_revenue_minor")
NONE = Preset(Rules(), dict.fromkeys(ROLES, ()) | ORDERS)
PRESETS: dict[str, Preset] = {
    "none": NONE,
    "ecommerce": _preset(("Order Completed",), **_window((3, 90), (60, 14, 180))),
    "ugc": _preset(
        ("User Followed", "Content Published"),
        ("Content Viewed",),
        PAY,
        rfm_axes=("last_seen_on", "habit_days", "core_days"),
        **_window((4, 14), (30, 7, 60), pay_stage=True),
    ),
    "finance": _preset(
        ("Investment Made",),
        money=("Investment Made",),
        rfm_axes=("last_order_on", "window_orders", "average_order_minor"),
        effective_days=30,
        **_window((2, 60), (90, 30, 180), "with_balance"),
    ),
    "live": _preset(
        ("Room Entered", "Tip Sent"),
        ("Room Entered",),
        PAY,
        money=("Tip Sent",),
        rfm_axes=VISIT_AXES,
        **_window((4, 14), (21, 7, 60), pay_stage=True),
    ),
    "social": _preset(
        ("Chat Started",), ("Chat Sent",), PAY, rfm_axes=VISIT_AXES, **_window((4, 7), (14, 5, 45), pay_stage=True)
    ),
    "game": _preset(("Round Played",), None, PAY, rfm_axes=VISIT_AXES, **_window((5, 7), (30, 7, 30), "fixed", True)),
    "tool": _preset(("Tool Run",), None, PAY, rfm_axes=VISIT_AXES, **_window((4, 28), (30, 10, 90), pay_stage=True)),
}
# What choosing an industry sets anew, beside the roles of events. Everything else stays as the workspace has it.
PRESET_SETS = frozenset(
    name
    for name in (f.name for f in fields(Rules))
    if len({repr(getattr(preset.rules, name)) for preset in PRESETS.values()}) > 1
)
