"""The definitions, computed a second time in plain pandas from the story's tables alone.

`python -m tests.demo.story_figures` prints the figures of the full story beside what the story promises.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from ops_platform.demo.story import EVENT_ROLES, ZONE, Story, generate

GROUPS = {
    "hibernating": ((1, 2), (1, 2)),
    "at_risk": ((1, 2), (3, 4)),
    "cant_lose": ((1, 2), (5,)),
    "about_to_sleep": ((3,), (1, 2)),
    "need_attention": ((3,), (3,)),
    "loyal": ((3, 4), (4, 5)),
    "promising": ((4,), (1,)),
    "new": ((5,), (1,)),
    "champions": ((5,), (4, 5)),
    "potential_loyalist": ((4, 5), (2, 3)),
}
WINDOW = 365
STAGES = ("contact", "use", "habit", "paying", "advocate", "churned")


class Ledger:
    """The story's events with person, local day and parsed orders; excluded people left out, visitors merged."""

    def __init__(self, story: Story) -> None:
        people = story.people
        self.people = people[people.excluded_reason == ""].set_index("external_id")
        events = story.events
        owner = dict(zip(story.anonymous_links.anonymous_id, story.anonymous_links.external_id, strict=True))
        person = events.external_id.where(events.external_id != "", events.anonymous_id.map(owner))
        self.first = pd.Timestamp("2026-03-05")
        local = events["at"].dt.tz_convert(ZONE).dt.tz_localize(None)
        kept = person.isin(self.people.index)
        self.events = pd.DataFrame(
            {
                "person": person[kept],
                "event": events.event[kept],
                "day": (local[kept].dt.normalize() - self.first).dt.days,
                "local": local[kept],
                "properties": events.properties[kept],
            }
        )
        self.registered = (
            self.people.registered_at.dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize() - self.first
        ).dt.days
        self.orders = self._parsed(EVENT_ROLES["order"])
        self.refunds = self._parsed(EVENT_ROLES["refund"])
        self.active = self.events[~self.events.event.isin(EVENT_ROLES["passive"])][["person", "day"]].drop_duplicates()

    def _parsed(self, names: tuple[str, ...]) -> pd.DataFrame:
        rows = self.events[self.events.event.isin(names)]
        told = pd.DataFrame([json.loads(text) for text in rows.properties], index=rows.index)
        told["cents"] = (told.total * 100).round().astype(int)
        return rows[["person", "day", "local"]].join(told)

    def counted_orders(self, today: int) -> pd.DataFrame:
        """Orders up to `today` that were not wholly refunded, with what came back by then."""
        refunds = self.refunds[self.refunds.day <= today].groupby("order_id").cents.sum()
        orders = self.orders[self.orders.day <= today].copy()
        orders["back"] = orders.order_id.map(refunds).fillna(0)
        return orders[orders.back < orders.cents]


def activity(ledger: Ledger, today: int) -> pd.DataFrame:
    """idle, limit and flag per person."""
    days = ledger.active[ledger.active.day <= today].sort_values(["person", "day"])
    known = ledger.registered[ledger.registered <= today].index
    frame = pd.DataFrame(index=known)
    frame["idle"] = today - days.groupby("person").day.max()
    gaps = days.groupby("person").day.diff().dropna()
    gaps = pd.DataFrame({"person": days.person[gaps.index], "gap": gaps})
    gaps = gaps.groupby("person").tail(30)
    by = gaps.groupby("person").gap
    personal = np.maximum(3 * by.median(), 1.5 * by.quantile(0.9)).clip(14, 180)
    count = days.groupby("person").size()
    frame["limit"] = personal.where(count[personal.index] >= 4).reindex(known).fillna(60)
    frame["flag"] = np.select(
        [frame.idle >= frame.limit, frame.idle >= 0.6 * frame.limit], ["dormant", "slipping"], "active"
    )
    return frame


def ever_habit(days: pd.Series) -> bool:
    unique = np.unique(days)
    return bool(unique.size >= 3 and (unique[2:] - unique[:-2] < 90).any())


def rfm(ledger: Ledger, today: int) -> pd.DataFrame:
    ever = ledger.counted_orders(today)
    orders = ever[ever.day > today - WINDOW]
    refunds = ledger.refunds[(ledger.refunds.day <= today) & ledger.refunds.order_id.isin(orders.order_id)]
    by = orders.groupby("person")
    frame = pd.DataFrame({"r": today - by.day.max(), "f": by.size()})
    frame["m"] = by.cents.sum() - refunds.groupby("person").cents.sum().reindex(frame.index).fillna(0)
    for axis in "rfm":
        cuts = np.quantile(frame[axis], [0.2, 0.4, 0.6, 0.8])
        below = (cuts[None, :] < frame[axis].to_numpy()[:, None]).sum(axis=1)
        frame[axis + "_score"] = 5 - below if axis == "r" else 1 + below
    frame["group"] = ""
    for name, (rs, fs) in GROUPS.items():
        frame.loc[frame.r_score.isin(rs) & frame.f_score.isin(fs), "group"] = name
    known_before = frame.index.isin(ever.person[ever.day <= today - WINDOW])
    frame.loc[frame.group.isin(["promising", "new"]) & known_before, "group"] = "returned"
    bits = [frame.r <= frame.r.mean(), frame.f > frame.f.mean(), frame.m > frame.m.mean()]
    frame["bits"] = ["".join("1" if b else "0" for b in row) for row in zip(*bits, strict=True)]
    return frame


def evaluate(ledger: Ledger, today: int = 179, whole_refunds_undo: bool = False) -> pd.DataFrame:
    """stage, flag and RFM of everyone registered by `today`."""
    frame = activity(ledger, today)
    orders = ledger.counted_orders(today) if whole_refunds_undo else ledger.orders[ledger.orders.day <= today]
    by = orders.groupby("person").day
    core = frame.index.isin(orders.person)
    habit_ever = by.apply(ever_habit).reindex(frame.index, fill_value=False).to_numpy()
    recent = orders[orders.day > today - 90].groupby("person").day.nunique().reindex(frame.index, fill_value=0)
    pay = ledger.events[ledger.events.event.isin(EVENT_ROLES["pay"]) & (ledger.events.day <= today)]
    paid = frame.index.isin(pay.person)
    steady = frame.index.isin(recommenders(ledger, orders, today)) & ~frame.index.isin(dependants(orders))
    ever = habit_ever | paid
    rules = [(frame.flag == "dormant") & ever, ever & steady, paid, recent >= 3, core]
    frame["stage"] = np.select(rules, ["churned", "advocate", "paying", "habit", "use"], "contact")
    return frame.join(rfm(ledger, today))


def recommenders(ledger: Ledger, orders: pd.DataFrame, today: int) -> set[str]:
    inviter = ledger.people.referred_by
    joined = orders.person.map(ledger.registered)
    soon = orders[(orders.day - joined <= 30) & (orders.person.map(inviter) != "")]
    days = soon.groupby("person").day.nunique()
    return set(inviter[days[days >= 2].index])


def dependants(orders: pd.DataFrame) -> set[str]:
    by = orders.assign(targeted=orders.coupon_kind == "targeted").groupby("person").targeted.agg(["size", "mean"])
    return set(by[(by["size"] >= 4) & (by["mean"] >= 0.8)].index)


def day_of(text: str) -> int:
    return (pd.Timestamp(f"2026-{text}") - pd.Timestamp("2026-03-05")).days


def figures(story: Story, ledger: Ledger) -> dict[str, object]:
    """What the story promises, measured. Keys name the figure; each value stands beside its promise in the report."""
    told: dict[str, object] = {}
    result = evaluate(ledger)
    told["stages"] = result.stage.value_counts().to_dict()
    told["stages, whole refunds undo the order"] = (
        evaluate(ledger, whole_refunds_undo=True).stage.value_counts().to_dict()
    )
    told["flags"] = result.flag.value_counts().to_dict()
    told["groups"] = result.group.value_counts().to_dict()
    told["stage x flag"] = pd.crosstab(result.stage, result.flag).to_dict("index")
    told |= _money(ledger) | _sources(story, ledger) | _incidents(story, ledger) | _people(story, ledger, result)
    return told


def _money(ledger: Ledger) -> dict[str, object]:
    orders = ledger.orders
    counts = orders.groupby("person").size()
    daily = orders.groupby("day").size().reindex(range(180), fill_value=0)
    usual = daily[day_of("05-18") : day_of("06-14")].mean()
    first = orders.sort_values("local").groupby("person").day.first()
    sale = first[(first >= day_of("06-16")) & (first <= day_of("06-20"))]
    refunded = orders.order_id.isin(ledger.refunds.order_id)
    in_sale = orders.day.between(day_of("06-16"), day_of("06-20"))
    return {
        "orders": len(orders),
        "buyers": len(counts),
        "once": (counts == 1).mean(),
        "average order": orders.total.mean(),
        "refunded": refunded.mean(),
        "refunded in sale": refunded[in_sale].mean(),
        "usual day": usual,
        "monthly orders": orders.groupby(orders.local.dt.month).size().to_dict(),
        "peak": daily[day_of("06-18")] / usual,
        "after": daily[day_of("06-21") : day_of("06-30")].mean() / usual - 1,
        "sale first buyers": len(sale),
        "of whom once": (counts[sale.index] == 1).mean(),
    }


def _sources(story: Story, ledger: Ledger) -> dict[str, object]:
    active = set(map(tuple, ledger.active.to_numpy()))
    registered = ledger.registered
    cohort = registered[registered + 30 <= 179]
    there = pd.Series([(p, d + 30) in active for p, d in cohort.items()], cohort.index)
    source = ledger.people.source
    orders, refunds = ledger.orders, ledger.refunds
    money = pd.concat(
        [orders[["person", "day", "cents"]], refunds[["person", "day", "cents"]].assign(cents=-refunds.cents)]
    )
    early = money[money.day - money.person.map(registered) < 90].groupby("person").cents.sum() / 100
    old = registered[registered + 90 <= 180].index
    spend = story.spend.groupby("source")[["spend", "reward"]].sum().sum(axis=1)
    counts = story.people.source.value_counts()
    table = pd.DataFrame(
        {
            "people": counts,
            "d30": there.groupby(source).mean(),
            "ltv90": early.reindex(old).fillna(0).groupby(source).mean(),
            "cac": spend / counts,
            "buyers": ledger.people.index.to_series().isin(orders.person).groupby(source).mean(),
        }
    )
    people = story.people
    reach = {c: round((people[c] != "").mean(), 3) for c in ("phone", "push_token", "email")}
    told = {c: round(people[f"consent_{c}"].mean(), 3) for c in ("sms", "push", "email")}
    return {
        "sources": table.round(3).to_string(),
        "addresses": reach,
        "reachable": told,
        "july B": int(((people.source == "信息流B") & (people.registered_at.dt.tz_convert(ZONE).dt.month == 7)).sum()),
    }


def _incidents(story: Story, ledger: Ledger) -> dict[str, object]:
    told: dict[str, object] = {}
    events = ledger.events
    checkout = events[events.event == "Checkout Started"]
    crash = events[events.event == "App Crashed"]
    week = (day_of("04-13"), day_of("04-19"))
    broken = '"app_version":"5.3.0","os":"Android"'
    exposed = checkout[checkout.properties.str.contains(broken, regex=False) & checkout.day.between(*week)]
    crashed = crash[crash.properties.str.contains(broken, regex=False) & crash.day.between(*week)]
    told["broken checkout people"] = exposed.person.nunique()
    told["ran 5.3.0"] = events[
        (events.event == "App Opened") & events.properties.str.contains(broken, regex=False) & events.day.between(*week)
    ].person.nunique()
    told["crash rate"] = len(crashed) / len(exposed)
    told["crash rate elsewhere"] = (len(crash) - len(crashed)) / (len(checkout) - len(exposed))
    days = ledger.active.groupby("person").day.apply(set)

    def comes_back(frame: pd.DataFrame) -> float:
        last = frame.groupby("person").day.max()
        return float(np.mean([any(d + k in days[p] for k in range(1, 15)) for p, d in last.items()]))

    told["crashed people"] = crashed.person.nunique()
    told["return after crash"] = comes_back(crashed)
    told["return otherwise"] = comes_back(exposed[~exposed.person.isin(crashed.person)])
    told["return after all 5.3.0 checkouts"] = comes_back(exposed)
    others = checkout[checkout.day.between(*week) & ~checkout.person.isin(exposed.person)]
    told["return of other checkouts"] = comes_back(others)
    told |= _referral_week(ledger, days) | _outage(ledger) | _july(story, ledger)
    return told


def _referral_week(ledger: Ledger, days: pd.Series) -> dict[str, object]:
    invited = ledger.people[ledger.people.referred_by != ""]
    joined = ledger.registered[invited.index]
    week = invited[joined.between(day_of("05-11"), day_of("05-17"))]
    counts = week.referred_by.value_counts()
    top = counts.head(11)
    fake = week[week.referred_by.isin(top.index)].index
    real = week.index.difference(fake)

    def stay(people: pd.Index) -> float:
        return float(np.mean([joined[p] + 30 in days[p] for p in people]))

    return {
        "week invitees": len(week),
        "week inviters": len(counts),
        "top 11 brought": len(fake),
        "next inviter": int(counts.iloc[11]),
        "fakes stay": stay(fake),
        "others stay": stay(real),
    }


def _outage(ledger: Ledger) -> dict[str, object]:
    events = ledger.events
    start, end = pd.Timestamp("2026-06-17 20:10"), pd.Timestamp("2026-06-17 21:35")
    failed = events[(events.event == "Payment Failed") & events.local.between(start, end)]
    failed = failed[failed.properties.str.contains('"quickpay"', regex=False)]
    orders = ledger.orders[ledger.orders.local.between(start, end)]
    through = (orders.provider == "quickpay").sum()
    moment = failed.groupby("person").local.max()
    later = events[events.event.isin(["Checkout Started", "Order Completed"]) & events.person.isin(moment.index)]
    retried = later[later.local > later.person.map(moment)].person.nunique()
    usual = events[(events.event == "Payment Failed") & ~events.local.between(start, end)]
    return {
        "outage hit": moment.size,
        "outage rate": len(failed) / (len(failed) + through),
        "never retry": moment.size - retried,
        "payment failures otherwise": len(usual) / (len(usual) + len(ledger.orders)),
    }


def _july(story: Story, ledger: Ledger) -> dict[str, object]:
    orders = ledger.orders
    addict = orders.person.isin(story.planted["coupon_addicts"])
    base, july = (day_of("05-18"), day_of("06-14")), (day_of("07-01"), day_of("07-31"))

    def change(of: pd.DataFrame) -> float:
        return (of.day.between(*july).sum() / 31) / (of.day.between(*base).sum() / 28) - 1

    june = evaluate(ledger, day_of("06-30"))
    by_rule = dependants(orders[orders.day < day_of("07-01")])
    planted = set(story.planted["coupon_addicts"])
    targeted = orders[orders.coupon_kind == "targeted"]
    june_orders = orders.local.dt.month
    return {
        "addicts": len(planted),
        "dependent by rule end of June": len(by_rule),
        "of them planted": len(by_rule & planted),
        "dependent by rule today": len(dependants(orders)),
        "addicts in July": change(orders[addict]),
        "rule-dependent in July": change(orders[orders.person.isin(by_rule)]),
        "others in July": change(orders[~addict]),
        "addicts July vs June": (june_orders[addict] == 7).sum() / (june_orders[addict] == 6).sum() - 1,
        "champions among addicts 06-30": int((june.group[june.index.isin(planted)] == "champions").sum()),
        "champions 06-30": int((june.group == "champions").sum()),
        "last targeted coupon": str(targeted.local.max()),
    }


def _people(story: Story, ledger: Ledger, result: pd.DataFrame) -> dict[str, object]:
    slipping = result[(result.flag == "slipping") & result.bits.isin(["111", "011"])]
    tickets = ledger.events[ledger.events.event.isin(["Ticket Opened", "Ticket Resolved"])]
    number = tickets.properties.str.extract(r'"ticket_id":"(\w+)"')[0]
    resolved = set(number[tickets.event == "Ticket Resolved"])
    open_ = tickets[(tickets.event == "Ticket Opened") & ~number.isin(resolved)]
    long = open_[open_.local <= pd.Timestamp("2026-09-01") - pd.Timedelta(hours=72)]
    orders = ledger.orders
    by = orders.groupby("person")
    favourite = (
        orders.groupby(["person", "category"])
        .size()
        .reset_index(name="n")
        .sort_values("n")
        .groupby("person")
        .category.last()
    )
    thrifty = by.size().ge(4) & by.total.mean().lt(60) & favourite.eq("美妆")
    on_payday = orders.assign(p=orders.local.dt.day.between(10, 12)).groupby("person").p.agg(["size", "mean"])
    planted = set(story.planted["slipping_valuable"])
    return {
        "valuable slipping": len(slipping),
        "as planted": len(set(slipping.index) & planted),
        "with long open complaint": int(slipping.index.isin(long.person).sum()),
        "long open complaints in all": long.person.nunique(),
        "slipping stages": result[result.flag == "slipping"].stage.value_counts().to_dict(),
        "thrifty beauty": int(thrifty.sum()),
        "payday buyers": int(((on_payday["size"] >= 2) & (on_payday["mean"] == 1)).sum()),
        "excluded": story.people.excluded_reason.value_counts().to_dict(),
        "merged visitors": len(story.anonymous_links),
        "effective newcomers": float(
            (by.day.min() - ledger.registered.reindex(by.day.min().index)).le(7).sum() / len(ledger.people)
        ),
        "campaigns": [
            (c["name"], len(c["treated"]), len(c["converted_treated"]), len(c["control"]), len(c["converted_control"]))
            for c in story.past_campaigns
        ],
    }


if __name__ == "__main__":
    whole = generate()
    for key, value in figures(whole, Ledger(whole)).items():
        print(f"{key}: {value if not isinstance(value, float) else round(value, 3)}")
    print("events:", len(whole.events))
