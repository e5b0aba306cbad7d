"""Industry presets and the thresholds a workspace may change. The numbers come from docs/definitions.md."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

# No shorter: conversions, late events and the pages look back so far.
LEAST_MONTHS = 3
MOST_MONTHS = 240
MOST_EXPORT_DAYS = 90
ROLES = ("core", "habit", "order", "refund", "pay", "passive")


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

    @classmethod
    def of(cls, industry: str, overrides: dict[str, Any]) -> Rules:
        """The preset of the industry with overrides; unknown keys are ignored so that old settings never break a night."""
        known = {f.name for f in fields(cls)}
        return replace(PRESETS.get(industry, NONE).rules, **{k: v for k, v in overrides.items() if k in known})

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
    core: tuple[str, ...], habit: tuple[str, ...] | None = None, pay: tuple[str, ...] = (), **rules: Any
) -> Preset:
    roles = {
        "core": core,
        "habit": habit or core,
        "order": ("Order Completed",),
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
NONE = Preset(Rules(), dict.fromkeys(ROLES, ()) | ORDERS)
PRESETS: dict[str, Preset] = {
    "none": NONE,
    "ecommerce": _preset(("Order Completed",), **_window((3, 90), (60, 14, 180))),
    "ugc": _preset(
        ("User Followed", "Content Published"),
        ("Content Viewed",),
        PAY,
        **_window((4, 14), (30, 7, 60), pay_stage=True),
    ),
    "finance": _preset(("Investment Made",), **_window((2, 60), (90, 30, 180), "with_balance"), effective_days=30),
    "live": _preset(
        ("Room Entered", "Tip Sent"), ("Room Entered",), PAY, **_window((4, 14), (21, 7, 60), pay_stage=True)
    ),
    "social": _preset(("Chat Started",), ("Chat Sent",), PAY, **_window((4, 7), (14, 5, 45), pay_stage=True)),
    "game": _preset(("Round Played",), None, PAY, **_window((5, 7), (30, 7, 30), "fixed", True)),
    "tool": _preset(("Tool Run",), None, PAY, **_window((4, 28), (30, 10, 90), pay_stage=True)),
}
