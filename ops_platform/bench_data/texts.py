"""What the events of a made-up crowd are called and say: 25 names, and properties of 60 to 120 bytes."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from random import Random
from typing import Any

# So many ready texts per event name; an event takes one by chance.
POOL = 2_000
CATEGORIES = ("美妆", "数码", "家居", "服饰", "食品", "母婴", "运动", "图书")
CITIES = ("上海", "北京", "广州", "深圳", "成都", "杭州", "武汉", "西安")
SOURCES = ("organic", "search", "friends", "video", "store")
VERSIONS = ("5.0.2", "5.1.0", "5.1.3", "5.2.0", "5.10.1")
# Each name, how often it happens, and what it is about; nobody does the last four, but others do them to people.
NAMES = (
    ("App Opened", 16, "app"),
    ("Product List Viewed", 14, "list"),
    ("Product Viewed", 24, "product"),
    ("Products Searched", 8, "list"),
    ("Product Added", 7, "product"),
    ("Product Removed", 1.5, "product"),
    ("Cart Viewed", 5, "app"),
    ("Checkout Started", 3.5, "app"),
    ("Coupon Applied", 1, "app"),
    ("Payment Info Entered", 3, "app"),
    ("Order Completed", 3.5, "order"),
    ("Product Added to Wishlist", 2, "product"),
    ("Product Shared", 1, "product"),
    ("Product Reviewed", 0.8, "product"),
    ("Promotion Viewed", 4, "list"),
    ("Promotion Clicked", 1.5, "list"),
    ("Content Viewed", 3, "list"),
    ("Signed In", 2, "app"),
    ("Push Delivered", 3, "app"),
    ("Coupon Granted", 1, "app"),
    ("Order Shipped", 1, "app"),
    ("Points Earned", 1, "app"),
)
ALL_NAMES = {name for name, _share, _about in NAMES} | {"Account Registered", "Referral Accepted", "Order Refunded"}
EVENTS = [name for name, _share, _about in NAMES]
SHARES = [share / sum(share for _name, share, _about in NAMES) for _name, share, _about in NAMES]
ORDER, OPENED = EVENTS.index("Order Completed"), EVENTS.index("App Opened")
# Some orders have no id, so many as have a session that this divides.
SESSIONS_WITHOUT_ID = 11


@cache
def make(seed: int) -> list[list[str]]:
    """POOL texts for each of EVENTS."""
    dice = Random(seed)  # noqa: S311 - the same for the same seed is what is asked for
    return [[text(dice, about) for _ in range(POOL)] for _name, _share, about in NAMES]


def text(dice: Random, about: str) -> str:
    version = f'"app_version":"{dice.choice(VERSIONS)}"'
    category, price = dice.choice(CATEGORIES), dice.randrange(100, 99_999) / 100
    if about == "product":
        said = (
            f'"category":"{category}","price":{price},"sku":"s{dice.randrange(90_000)}","position":{dice.randrange(40)}'
        )
        return f"{{{said},{version}}}" if dice.random() < 0.3 else f'{{{said},"list":"home"}}'
    if about == "list":
        said = f'"category":"{category}","results":{dice.randrange(900)},"sort":"price"'
        return f'{{{said},"page":{dice.randrange(9)},"view":"grid"}}'
    return (
        f'{{{version},"network":"{dice.choice(("wifi", "4g", "5g"))}","screen":"{dice.randrange(99)}","os":"android"}}'
    )


def order_id(ago: int, session: int) -> str:
    """One for a session: a second order in it is a new version of the first. "" where none was sent."""
    return f"o-{9000 - ago}-{session}" if session % SESSIONS_WITHOUT_ID else ""


def order(order: str, cents: int, chance: int) -> str:
    said = f'"total":{cents / 100},"currency":"CNY","category":"{CATEGORIES[chance % len(CATEGORIES)]}","items":{chance % 5 + 1}'
    if order:
        said = f'"order_id":"{order}",{said}'
    if chance % 10 < 3:
        said += f',"coupon_id":"c{chance % 50}"'
    if chance % 10 < 2:
        said += f',"coupon_kind":"{"targeted" if chance % 3 else "public"}"'
    return f"{{{said}}}"


def refund(order: str, cents: int, n: int) -> tuple[int | None, str]:
    """(the amount in minor units, the text): all of the order, half of it, or an amount nobody told."""
    said = f'"order_id":"{order}","reason":"size","by":"service"' if order else '"reason":"lost","by":"service"'
    if n % 4 == 0:
        return None, f"{{{said}}}"
    amount = cents // 2 if n % 4 == 1 else cents
    return amount, f'{{{said},"total":{amount / 100},"currency":"CNY"}}'


def registration(n: int) -> tuple[str, str]:
    """(properties, who brought them or "") of a person's registration; everybody was brought by somebody earlier."""
    said = f'"channel":"{SOURCES[n % len(SOURCES)]}","app_version":"{VERSIONS[n % len(VERSIONS)]}","device":"phone-{n % 97}"'
    inviter = f"user-{n // 3}" if n % 40 == 7 else ""
    return (f'{{{said},"referred_by":"{inviter}"}}' if inviter else f"{{{said}}}"), inviter


def traits(n: int, at: datetime) -> dict[str, Any]:
    """What is known of a person beside their id: of three in five nothing."""
    if n % 5 > 1:
        return {}
    told: dict[str, Any] = {"city": CITIES[n % len(CITIES)], "source": SOURCES[n % len(SOURCES)], "points": n % 1000}
    if n % 25 == 0:
        told["referred_by"] = f"user-{n // 2}"
    if n % 20 == 1:
        told["registered_at"] = f"{at:%Y-%m-%d}"
    return told
