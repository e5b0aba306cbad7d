"""Who registers, when and from where; and the table of people that the shop knows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick, shuffle_shares
from ops_platform.demo.days import DAYS, REFERRAL_WEEK, SALE, WEEKDAY, day, utc_ms
from ops_platform.demo.world import Kind, Tag, World

# 0..23 h: how the shop's visits spread over a day.
HOURS = np.array(
    [1, 0.4, 0.2, 0.1, 0.1, 0.3, 1, 2.2, 3.2, 3.6, 4, 4.4, 5.6, 4.8, 3.8, 3.6, 3.8, 4.2, 4.8, 6, 7.6, 8.2, 6.4, 2.6]
)


def draw_people(world: World) -> None:
    """Sets source, registration, platform and favourite category, in order of registration (so u00001 came first)."""
    rng = world.rng("people")
    source = shuffle_shares(rng, world.size, np.array([s.people for s in catalogue.SOURCES], float))
    registered_on = np.zeros(world.size, int)
    for number, of_source in enumerate(source == n for n in range(len(catalogue.SOURCES))):
        registered_on[of_source] = _registration_days(world, rng, number, int(of_source.sum()))
    registered_s = draw_seconds(rng, world.size)
    order = np.lexsort((registered_s, registered_on))
    world.source, world.registered_on, world.registered_s = source[order], registered_on[order], registered_s[order]
    world.android = rng.random(world.size) < 0.62
    world.category = rng.choice(len(catalogue.CATEGORIES), world.size, p=catalogue.CATEGORY_SHARES)
    world.kind = np.full(world.size, int(Kind.CONTACT))
    world.tag = np.full(world.size, int(Tag.NONE))


def draw_seconds(rng: np.random.Generator, size: int) -> np.ndarray:
    """Seconds of the local day at which a visit starts, early enough for it to end before midnight."""
    hours = rng.choice(24, size, p=HOURS / HOURS.sum())
    return np.minimum(hours * 3600 + rng.integers(0, 3600, size), 23 * 3600 + 1500)


def _registration_days(world: World, rng: np.random.Generator, source: int, size: int) -> np.ndarray:
    days = np.arange(DAYS)
    curve = (1 + 1.6 * np.exp(-days / 20)) * np.where(WEEKDAY >= 5, 1.12, 1.0)
    curve[SALE[0] - 8 : SALE[1] + 1] *= 2.1
    if source == catalogue.FEED_B:
        july = (days >= day(7, 1)) & (days < day(8, 1))
        curve = np.where(july, curve * 3.8, curve)
    drawn = rng.choice(days, size, p=curve / curve.sum())
    if source == catalogue.REFERRAL:
        in_week = pick(rng, np.ones(size), world.count(1900))
        start, end = REFERRAL_WEEK
        outside = np.setdiff1d(days, np.r_[:8, start : end + 1])
        drawn = rng.choice(outside, size, p=curve[outside] / curve[outside].sum())
        drawn[in_week] = rng.integers(start, end + 1, in_week.size)
    return drawn


def people_frame(world: World) -> pd.DataFrame:
    """One row per identified person. Text is '' where unknown; `registered_at` is UTC; consent flags are booleans."""
    rng = world.rng("profiles")
    size, ids = world.size, world.ids
    female = rng.random(size) < 0.68
    phone, push, email = (pick(rng, np.ones(size), round(size * share)) for share in (0.91, 0.61, 0.12))
    frame = pd.DataFrame({"external_id": ids, "name": _names(rng, female)})
    frame["city"] = rng.choice([c for c, _ in catalogue.CITIES], size, p=_share([w for _, w in catalogue.CITIES]))
    frame["gender"] = np.where(female, "female", "male")
    frame["birthday"] = _birthdays(rng, size)
    frame["phone"] = _only(phone, [f"+8617000{n:06d}" for n in rng.permutation(1_000_000)[:size]])
    frame["email"] = _only(email, [f"{i}@mail.example" for i in ids])
    frame["push_token"] = _only(push, [f"demo{n:028x}" for n in rng.integers(1 << 40, 1 << 62, size)])
    frame["source"] = catalogue.SOURCE_NAMES[world.source]
    frame["method"] = np.where(frame["phone"] != "", rng.choice(["phone", "wechat"], size, p=[0.7, 0.3]), "wechat")
    frame["referred_by"] = np.where(world.inviter >= 0, ids[world.inviter], "")
    registered_at = pd.to_datetime(utc_ms(world.registered_on, world.registered_s), unit="ms", utc=True)
    frame["registered_at"] = registered_at.astype("datetime64[ns, UTC]")
    frame["excluded_reason"] = np.select([world.kind == Kind.STAFF, world.kind == Kind.BRUSH], ["staff", "刷单"], "")
    for channel, address in (("sms", "phone"), ("push", "push_token"), ("email", "email")):
        frame[f"consent_{channel}"] = (frame[address] != "") & (rng.random(size) < 0.995)
    frame["favourite_category"] = catalogue.CATEGORIES[world.category]
    return frame


def _share(weights: list[int]) -> np.ndarray:
    return np.array(weights, float) / sum(weights)


def _only(chosen: np.ndarray, values: list[str]) -> np.ndarray:
    kept = np.full(len(values), "", object)
    kept[chosen] = np.array(values, object)[chosen]
    return kept


def _names(rng: np.random.Generator, female: np.ndarray) -> list[str]:
    size = female.size
    # The first surnames in the list are the most common ones.
    weights = 1 / (np.arange(len(catalogue.SURNAMES)) + 6.0)
    surnames = rng.choice(list(catalogue.SURNAMES), size, p=weights / weights.sum())
    own = np.where(female, rng.choice(list(catalogue.GIVEN_FEMALE), size), rng.choice(list(catalogue.GIVEN_MALE), size))
    middle = np.where(rng.random(size) < 0.6, rng.choice(list(catalogue.GIVEN_ANY), size), "")
    return [f"{a}{b}{c}" for a, b, c in zip(surnames, middle, own, strict=True)]


def _birthdays(rng: np.random.Generator, size: int) -> np.ndarray:
    years, months, days = rng.integers(1972, 2009, size), rng.integers(1, 13, size), rng.integers(1, 29, size)
    told = rng.random(size) < 0.55
    dates = [f"{y}-{m:02d}-{d:02d}" for y, m, d in zip(years, months, days, strict=True)]
    return _only(np.flatnonzero(told), dates)
