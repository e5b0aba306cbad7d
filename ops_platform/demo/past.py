"""Three campaigns of the past with what came of them: one that worked, one without effect, one that did harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ops_platform.demo.chance import pick
from ops_platform.demo.days import as_date, day, utc_ms
from ops_platform.demo.world import World

WINDOW_DAYS = 7
SENT_S = 10 * 3600


@dataclass(frozen=True)
class Past:
    """Arm sizes for twenty thousand people, conversion and opt-out rates; `quiet_days` without an order before."""

    key: str
    name: str
    channel: str
    sent_on: int
    treated: int
    control: int
    treated_rate: float
    control_rate: float
    quiet_days: int
    opt_out_rate: float
    body: str


RECALL_TEXT = "好久不见，五一回来看看：满59减15，5月6日前有效。"
WARMUP_TEXT = "618 清单已就位，先加购，16日开抢。"
DAILY_TEXT = "今天的好价又来了，点开看看。"
CAMPAIGNS = (
    Past("may_recall", "五一召回", "sms", day(4, 30), 2400, 600, 0.098, 0.060, 7, 0.006, RECALL_TEXT),
    Past("sale_warmup", "618预热推送", "push", day(6, 8), 3000, 750, 0.060, 0.061, 0, 0.004, WARMUP_TEXT),
    Past("july_daily", "7月每日推送", "push", day(7, 20), 3000, 1000, 0.030, 0.052, 0, 0.048, DAILY_TEXT),
)


def tell_campaigns(world: World, addresses: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """One dict per campaign; `addresses` says per channel who has one. Converted: an order within 7 days."""
    return [_tell(world, past, addresses[past.channel]) for past in CAMPAIGNS]


def _tell(world: World, past: Past, reachable: np.ndarray) -> dict[str, Any]:
    rng = world.rng(past.key)
    sent_ms = int(utc_ms(past.sent_on, SENT_S))
    at_ms, person = world.orders["at_ms"], world.orders["person"]
    converts = _has_order(world, person[(at_ms >= sent_ms) & (at_ms < sent_ms + WINDOW_DAYS * 86_400_000)])
    lately = _has_order(world, person[(at_ms < sent_ms) & (at_ms >= sent_ms - past.quiet_days * 86_400_000)])
    eligible = reachable & ~world.excluded & (world.registered_on < past.sent_on) & ~lately
    arms: dict[str, np.ndarray] = {}
    for arm, size, rate in (("treated", past.treated, past.treated_rate), ("control", past.control, past.control_rate)):
        people = world.count(size)
        yes = pick(rng, (eligible & converts).astype(float), round(people * rate))
        no = pick(rng, (eligible & ~converts).astype(float), people - yes.size)
        eligible[yes] = eligible[no] = False
        arms[arm], arms[f"converted_{arm}"] = np.sort(np.r_[yes, no]), yes
    arms["opted_out"] = rng.permutation(arms["treated"])[: round(arms["treated"].size * past.opt_out_rate)]
    ids = world.ids
    told: dict[str, Any] = {key: ids[np.sort(people)].tolist() for key, people in arms.items()}
    told |= {"key": past.key, "name": past.name, "channel": past.channel, "body": past.body}
    return told | {"sent_on": as_date(past.sent_on), "sent_at_ms": sent_ms, "window_days": WINDOW_DAYS}


def _has_order(world: World, person: np.ndarray) -> np.ndarray:
    return np.bincount(person, minlength=world.size) > 0
