"""A night by polars: everything anew from the events in Parquet, the answer as a CSV."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
from polars import col, lit

from benchmarks import columns as c

BOARD = [group for row in c.GROUPS.values() for group in row]


def compute(folder: Path, day: date) -> Path:
    """The answer for the end of a day, as a CSV of id and COLUMNS."""
    people = pl.read_parquet(folder / "people.parquet")
    counted = people.filter("identified", ~col("excluded"), col("owner") == col("person")).select(
        "person", "id", "external_id",
        created_on=(col("created_at") + pl.duration(hours=c.ZONE_HOURS)).dt.date(),
        inviter=blank("referred_by"),
        told_on=col("registered").str.slice(0, 10).str.to_date(strict=False),
    )  # fmt: skip
    owners = people.select(num="person", person="owner").join(counted.select("person"), on="person")
    deed = (
        pl.scan_parquet(folder / "events-*.parquet")
        .rename({"person": "num"})
        .with_columns(local=col("at") + pl.duration(hours=c.ZONE_HOURS))
        .with_columns(
            day=col("local").dt.date(),
            visit=~col("name").cast(pl.String).is_in(c.PASSIVE),
            name=col("name").cast(pl.String),
        )
        .filter(col("day") <= day)
        .join(owners.lazy(), on="num")
    )
    visits, told = deed.filter("visit"), ("person", "day", "name", "at", "message_id", "properties")
    days, hours, categories, versions, firsts, money = pl.collect_all(
        [
            deed.group_by("person", "day").agg(visits=col("visit").sum().cast(pl.Int64), core=(col("name") == c.ORDER).sum()),
            visits.group_by("person", hour=col("local").dt.hour()).agg(times=pl.len(), latest=col("at").max()),
            visits.filter(col("properties").str.contains('"category"', literal=True))
            .group_by("person", category=col("properties").str.json_path_match("$.category"))
            .agg(times=pl.len(), latest=col("at").max()),
            visits.filter(col("properties").str.contains('"app_version"', literal=True))
            .group_by("person")
            .agg(col("properties").sort_by("at", "message_id").last())
            .select("person", app_version=col("properties").str.json_path_match("$.app_version")),
            deed.filter(col("name").is_in([c.REGISTERED, c.REFERRED])).select(*told),
            deed.filter(col("name").is_in([c.ORDER, c.REFUND])).select(*told, "amount_minor", "order_id"),
        ],
        engine="streaming",
    )  # fmt: skip
    active = days.filter(col("visits") > 0)
    joined = (
        counted.join(seen(days, active, day), on="person", how="left")
        .join(registrations(firsts), on="person", how="left")
        .with_columns(registered_on=pl.coalesce("registered_on", pl.when(col("told_on") <= day).then(col("told_on"))))
        .with_columns(joined_on=pl.coalesce("registered_on", "first_seen_on"), inviter=pl.coalesce("inviter", "told"))
        .filter((col("created_on") <= day) | (col("first_day") <= day))
    )
    starts = first_core_days(joined, days)
    gaps = active.sort("person", "day").with_columns(
        gap=days_of(col("day") - col("day").shift().over("person")), next=col("day").shift(-1).over("person")
    )
    facts = joined
    for part in (
        habits(days), books(money, day), recommendations(joined, starts, people, day), rhythms(gaps), favourite(hours, "hour"),
        favourite(weekdays(active), "weekday"), favourite(categories, "category"), versions, starts.select("person", "core_on"),
    ):  # fmt: skip
        facts = facts.join(part, on="person", how="left")
    return write(staged(scored(flagged(filled(facts), curve(gaps, day), day), day), day), folder / "polars.csv")


def write(answer: pl.DataFrame, out: Path) -> Path:
    answer.select("id", *c.COLUMNS).write_csv(out, include_header=False)
    return out


def blank(name: str) -> pl.Expr:
    return pl.when(col(name) != "").then(col(name))


def days_of(expression: pl.Expr) -> pl.Expr:
    return expression.dt.total_days()


def since(day: date, length: int) -> pl.Expr:
    return col("day") > day - timedelta(days=length)


def seen(days: pl.DataFrame, active: pl.DataFrame, day: date) -> pl.DataFrame:
    core = col("core") > 0
    here = col("visits") > 0
    windows = {f"visits_{n}": col("visits").filter(since(day, n)).sum() for n in (7, 30, 90)}
    windows |= {f"active_days_{n}": (here & since(day, n)).sum() for n in (7, 30, 90)}
    return days.group_by("person").agg(
        first_day=col("day").min(),
        first_seen_on=col("day").filter(here).min(),
        last_seen_on=col("day").filter(here).max(),
        **windows,
        visits=col("visits").sum(),
        active_days=here.sum(),
        core_days=core.sum(),
        first_core_on=col("day").filter(core).min(),
        last_core_on=col("day").filter(core).max(),
        habit_days=(core & since(day, c.HABIT_WINDOW)).sum(),
    )


def registrations(firsts: pl.DataFrame) -> pl.DataFrame:
    """When each person registered, and who the first accepted referral says brought them."""
    told = col("properties").str.json_path_match("$.referred_by")
    return (
        firsts.sort("at", "message_id")
        .group_by("person")
        .agg(
            registered_on=col("day").filter(col("name") == c.REGISTERED).min(),
            told=told.filter(col("name") == c.REFERRED).first(),
        )
    )


def first_core_days(joined: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    core = days.filter(col("core") > 0).join(joined.select("person", "joined_on"), on="person")
    near = core.filter(col("day").is_between(col("joined_on"), col("joined_on") + pl.duration(days=30)))
    return near.group_by("person").agg(core_on=col("day").min(), second_on=col("day").sort().get(1, null_on_oob=True))


def habits(days: pl.DataFrame) -> pl.DataFrame:
    core = days.filter(col("core") > 0).sort("person", "day")
    span = days_of(col("day") - col("day").shift(c.HABIT_DAYS - 1).over("person"))
    return core.filter(span < c.HABIT_WINDOW).select("person").unique().with_columns(ever_habit=lit(value=True))


def rhythms(gaps: pl.DataFrame) -> pl.DataFrame:
    last = gaps.filter(col("gap").is_not_null()).group_by("person", maintain_order=True).tail(30)
    return last.group_by("person").agg(
        gap_median=col("gap").quantile(0.5, "linear").round(2), gap_p90=col("gap").quantile(0.9, "linear").round(2)
    )


def weekdays(active: pl.DataFrame) -> pl.DataFrame:
    return active.group_by("person", weekday=col("day").dt.weekday() - 1).agg(
        times=col("visits").sum(), latest=col("day").max()
    )


def favourite(counts: pl.DataFrame, value: str) -> pl.DataFrame:
    best = counts.sort("times", "latest", value, descending=[True, True, False])
    return best.unique("person", keep="first", maintain_order=True).select(
        "person", col(value).alias(f"favourite_{value}")
    )


def books(money: pl.DataFrame, day: date) -> pl.DataFrame:
    """What the orders of each person that count come to, less the refunds that come off."""
    money = money.with_columns(
        key=pl.coalesce(blank("order_id"), lit("row:") + col("message_id")),
        coupon=col("properties").str.json_path_match("$.coupon_id").fill_null("") != "",
        kind=col("properties").str.json_path_match("$.coupon_kind"),
        told=col("amount_minor").is_not_null(),
    )
    orders = (
        money.filter(col("name") == c.ORDER)
        .sort("told", "at", "message_id")
        .group_by("person", "key")
        .agg(
            day=col("day").min(),
            amount=col("amount_minor").last().fill_null(0),
            coupon=col("coupon").last(),
            targeted=pl.coalesce(col("kind") == "targeted", "coupon").last(),
        )
    )
    back = money.filter(col("name") == c.REFUND)
    taken = back.group_by("person", "key").agg(taken=col("amount_minor").abs().sum(), whole=(~col("told")).sum())
    orders = orders.join(taken, on=["person", "key"], how="left").with_columns(
        void=(col("taken") + col("whole") * col("amount").abs() >= col("amount")).fill_null(value=False)
    )
    off = back.join(orders.select("person", "key", "void", of="amount"), on=["person", "key"], how="left")
    off = off.filter(~col("void").fill_null(value=False)).select(
        "person", "day", amount=-pl.coalesce("amount_minor", "of", lit(0)).abs(), n=lit(0),
        coupon=lit(value=False), targeted=lit(value=False),
    )  # fmt: skip
    kept = orders.filter(~col("void")).select("person", "day", "amount", n=lit(1), coupon="coupon", targeted="targeted")
    order = col("n") == 1
    year = since(day, c.YEAR)
    return (
        pl.concat([kept, off])
        .group_by("person")
        .agg(
            orders=col("n").sum(),
            revenue_minor=col("amount").sum(),
            first_order_on=col("day").filter(order).min(),
            last_order_on=col("day").filter(order).max(),
            window_orders=col("n").filter(year).sum(),
            window_revenue_minor=col("amount").filter(year).sum(),
            coupons=col("coupon").sum(),
            year_targeted=(col("targeted") & year).sum(),
        )
    )


def recommendations(joined: pl.DataFrame, starts: pl.DataFrame, people: pl.DataFrame, day: date) -> pl.DataFrame:
    recent = starts.filter(col("second_on") > day - timedelta(days=c.YEAR)).join(
        joined.select("person", "inviter"), on="person"
    )
    named = people.filter("identified").select("external_id", "owner")
    found = recent.join(named, left_on="inviter", right_on="external_id").filter(col("owner") != col("person"))
    return found.group_by(person="owner").agg(recommendations=pl.len())


def filled(facts: pl.DataFrame) -> pl.DataFrame:
    """Nothing where nothing is known, and the numbers that follow from others."""
    zero = [
        n
        for n in facts.columns
        if n.startswith(("visits", "active_days")) or n in ("core_days", "habit_days", "orders")
    ]
    zero += ["revenue_minor", "window_orders", "window_revenue_minor", "recommendations", "coupons", "year_targeted"]
    facts = facts.with_columns(col(zero).cast(pl.Int64).fill_null(0), col("ever_habit").fill_null(value=False))
    some = col("orders") > 0
    return facts.with_columns(
        revenue_365_minor=col("window_revenue_minor"),
        ever_paid=lit(value=False),
        average_order_minor=pl.when(some).then(
            col("revenue_minor").sign() * ((2 * col("revenue_minor").abs() + col("orders")) // (2 * col("orders")))
        ),
        coupon_percent=pl.when(some)
        .then((20000 * col("coupons") + col("orders")) // (2 * col("orders")) / 100)
        .round(2),
        subsidy_dependent=pl.when(col("window_orders") >= 4).then(
            col("year_targeted") * 100 >= col("window_orders") * 80
        ),
        favourite_category=col("favourite_category").fill_null(""),
        app_version=col("app_version").fill_null(""),
        effective=(days_of(col("core_on") - col("registered_on")) <= 7).fill_null(value=False),
    )


def curve(gaps: pl.DataFrame, day: date) -> pl.DataFrame:
    """For so many idle days: the spells that reached them, and how many of these ended in a visit."""
    reached = pl.min_horizontal(
        pl.coalesce(days_of(col("next") - col("day")) - 1, days_of(lit(day) - col("day"))),
        days_of(lit(day) - col("day")) - 30,
        180,
    )
    ended = gaps.select(idle=reached, back=col("next").is_not_null()).filter(col("idle") > 0)
    ended = ended.group_by("idle").agg(spells=pl.len().cast(pl.Int64), backs=col("back").sum().cast(pl.Int64))
    whole = pl.DataFrame({"idle": range(1, 181)}).join(ended, on="idle", how="left").sort("idle", descending=True)
    whole = whole.with_columns(col("spells", "backs").fill_null(0).cum_sum())
    return whole.filter(col("spells") > 0)


def flagged(facts: pl.DataFrame, rates: pl.DataFrame, day: date) -> pl.DataFrame:
    own = col("active_days") >= 4
    # In twentieths of a day, so that nothing is rounded: 3 x a half, 1.5 x a tenth.
    limit = pl.max_horizontal((60 * col("gap_median")).round(), (30 * col("gap_p90")).round(), 20 * c.LIMIT_MIN).cast(
        pl.Int64
    )
    known = pl.min_horizontal("first_seen_on", "registered_on", "first_order_on", "created_on")
    facts = facts.with_columns(
        idle_from=pl.coalesce("last_seen_on", "created_on"),
        limit20=pl.when(own).then(pl.min_horizontal(limit, 20 * c.LIMIT_MAX)).otherwise(20 * c.LIMIT_DAYS),
        limit_kind=pl.when(own).then(lit("personal")).otherwise(lit("default")),
        known=(days_of(lit(day) - known) + 1).clip(30, 365),
    ).with_columns(idle=days_of(lit(day) - col("idle_from")).clip(0), limit_days=(col("limit20") / 20).round(2))
    facts = facts.with_columns(
        activity=pl.when(col("last_seen_on").is_not_null() & (20 * col("idle") >= col("limit20")))
        .then(lit("dormant"))
        .when(2000 * col("idle") >= col("limit20") * c.SLIPPING_PERCENT)
        .then(lit("slipping"))
        .otherwise(lit("active")),
        at_idle=pl.min_horizontal("idle", 180),
    ).join(rates, left_on="at_idle", right_on="idle", how="left")
    spells = col("spells").fill_null(1)
    stayed = (col("spells") - col("backs")).fill_null(1)
    worth = 2 * col("window_revenue_minor").clip(0) * 90 * stayed
    return facts.with_columns(
        value_at_risk_minor=pl.when(col("activity") == "slipping").then(
            (worth + col("known") * spells) // (2 * col("known") * spells)
        )
    )


def scored(facts: pl.DataFrame, day: date) -> pl.DataFrame:
    buyers = facts.filter(col("window_orders") > 0).select(
        "person", "first_order_on", f_orders="window_orders", m_minor="window_revenue_minor",
        r=days_of(lit(day) - col("last_order_on")),
    )  # fmt: skip
    below = {}
    for axis in ("r", "f_orders", "m_minor"):
        cuts = [round(buyers[axis].quantile(q, "linear"), 1) for q in (0.2, 0.4, 0.6, 0.8)] if len(buyers) else []
        below[axis] = sum((pl.when(col(axis) > cut).then(1).otherwise(0) for cut in cuts), lit(0)).cast(pl.Int64)
    n = pl.len().cast(pl.Int64)
    buyers = buyers.with_columns(
        r_score=5 - below["r"],
        f_score=1 + below["f_orders"],
        m_score=1 + below["m_minor"],
        rfm_bits=pl.concat_str(
            (col("r") * n <= col("r").sum()).cast(pl.Int8),
            (col("f_orders") * n > col("f_orders").sum()).cast(pl.Int8),
            (col("m_minor") * n > col("m_minor").sum()).cast(pl.Int8),
        ),
    ).with_columns(
        place=((col("r_score") - 1) * 5 + col("f_score") - 1).replace_strict(
            dict(enumerate(BOARD)), return_dtype=pl.String
        )
    )
    again = col("place").is_in(["new", "promising"]) & (col("first_order_on") <= day - timedelta(days=c.YEAR))
    buyers = buyers.with_columns(rfm_group=pl.when(again).then(lit("returned")).otherwise(col("place")))
    return facts.join(buyers.drop("first_order_on"), on="person", how="left")


def staged(facts: pl.DataFrame, day: date) -> pl.DataFrame:
    attached = col("ever_habit")
    return facts.with_columns(
        stage=pl.when((col("activity") == "dormant") & attached)
        .then(lit("churned"))
        .when(attached & (col("recommendations") >= 1) & ~col("subsidy_dependent").fill_null(value=False))
        .then(lit("advocate"))
        .when(col("habit_days") >= c.HABIT_DAYS)
        .then(lit("habit"))
        .when(col("core_days") > 0)
        .then(lit("use"))
        .otherwise(lit("contact"))
    )
