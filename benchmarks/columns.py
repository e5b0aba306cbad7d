"""What the four ways of computing a night are held to: every column of everybody, and the settings all of them use.

The settings are those of a new shop (docs/definitions.md); the contenders know them from here and share nothing else, least
of all with the product.
"""

from __future__ import annotations

# Column of the answer: its type in PostgreSQL, and the product's own expression over facts f, standing s, rfm_score r.
COLUMNS: dict[str, tuple[str, str]] = {
    **{
        name: ("date", f"f.{name}")
        for name in (
            "first_seen_on last_seen_on registered_on first_core_on last_core_on first_order_on last_order_on".split()
        )
    },
    **{
        name: ("bigint", f"f.{name}")
        for name in (
            "visits_7 visits_30 visits_90 visits active_days_7 active_days_30 active_days_90 active_days core_days habit_days"
            " orders revenue_minor revenue_365_minor window_orders window_revenue_minor average_order_minor recommendations"
            " favourite_hour favourite_weekday".split()
        )
    },
    **{name: ("boolean", f"f.{name}") for name in "ever_habit ever_paid subsidy_dependent effective".split()},
    **{name: ("numeric", f"f.{name}") for name in "coupon_percent gap_median gap_p90".split()},
    **{name: ("text", f"f.{name}") for name in "favourite_category app_version".split()},
    **{name: ("text", f"s.{name}") for name in "stage activity limit_kind".split()},
    "idle_from": ("date", "s.idle_from"),
    "limit_days": ("numeric", "s.limit_days"),
    "value_at_risk_minor": ("bigint", "s.value_at_risk_minor"),
    **{name: ("bigint", f"r.{name}") for name in "f_orders m_minor r_score f_score m_score".split()},
    "rfm_group": ("text", "r.rfm_group"),
    "rfm_bits": ("text", "r.rfm_bits"),
}

# Without summer time since 1991, so that a fixed difference does where an engine converts zones slowly.
ZONE, ZONE_HOURS = "Asia/Shanghai", 8
PASSIVE = ("Order Refunded", "Push Delivered", "Coupon Granted", "Order Shipped", "Points Earned")
# The core action, the habit event and the order are one in a shop.
ORDER, REFUND, REGISTERED, REFERRED = "Order Completed", "Order Refunded", "Account Registered", "Referral Accepted"
HABIT_DAYS, HABIT_WINDOW = 3, 90
LIMIT_DAYS, LIMIT_MIN, LIMIT_MAX, SLIPPING_PERCENT = 60, 14, 180, 60
YEAR = 365
GROUPS = {
    1: "hibernating hibernating at_risk at_risk cant_lose".split(),
    2: "hibernating hibernating at_risk at_risk cant_lose".split(),
    3: "about_to_sleep about_to_sleep need_attention loyal loyal".split(),
    4: "promising potential_loyalist potential_loyalist loyal loyal".split(),
    5: "new potential_loyalist potential_loyalist champions champions".split(),
}
