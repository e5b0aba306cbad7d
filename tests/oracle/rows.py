"""The exported rows as frames to compute on: people by position, events in order with their workspace day.

Days are integers since 1970-01-01 throughout; `person` is a position in the people frame.
"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from .rules import Rules
from .values import as_day_number, as_decimal, as_text, read_json, utc_day_number

NEVER = np.iinfo(np.int32).max  # a day after every day: "has not happened"
MICROSECONDS_A_DAY = 86_400_000_000
MICROSECONDS_AN_HOUR = 3_600_000_000
REFERRAL_EVENT = "Referral Accepted"


def read_export(path: str | Path) -> pd.DataFrame:
    """A CSV as text, column by column: `007` stays `007` and a person called `NA` is not a gap."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def prepare_people(people: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Everybody not excluded: external_id, created (day), attribute_registered (day or NEVER), inviter, broke."""
    kept = people[~people["excluded"].astype(str).str.lower().isin(["1", "true", "t"])]
    ids = kept["external_id"].astype(str)
    if ids.duplicated().any():
        raise ValueError(f"external_id repeats in people: {ids[ids.duplicated()].iloc[0]!r}")
    zone = ZoneInfo(rules.zone)
    traits = [read_json(text) for text in kept["attributes"]]
    registered = [_registered_day(trait, zone) for trait in traits]
    balances = [as_decimal(trait.get(rules.balance_attribute)) for trait in traits]
    return pd.DataFrame(
        {
            "external_id": ids.to_numpy(object),
            "created": np.array([utc_day_number(text, zone) for text in kept["created_at"]], dtype=np.int64),
            "attribute_registered": np.array([NEVER if day is None else day for day in registered], dtype=np.int64),
            "inviter": pd.Series([as_text(trait.get("referred_by")) for trait in traits], dtype=object),
            "broke": np.array([b is not None and b <= rules.balance_floor for b in balances], dtype=bool),
        }
    )


def _registered_day(trait: dict, zone: ZoneInfo) -> int | None:
    """The first readable day of the attributes that may tell when somebody registered."""
    days = (as_day_number(trait.get(key), zone) for key in ("registered_at", "created"))
    return next((day for day in days if day is not None), None)


def prepare_events(events: pd.DataFrame, people: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Events of the kept people in (time, message id) order.

    Columns: person, event, properties (JSON text), at (µs), seq (place in the order), day, hour, weekday (Mon = 0),
    and the roles visit, core, habit as booleans.
    """
    person = pd.Index(people["external_id"]).get_indexer(events["external_id"].astype(str).to_numpy(object))
    at = pd.to_datetime(events["at"], format="ISO8601", utc=True)
    frame = pd.DataFrame(
        {
            "person": person,
            "event": events["event"].astype(str).to_numpy(object),
            "properties": events["properties"].to_numpy(object),
            "message_id": events["message_id"].astype(str).to_numpy(object),
            "at": _microseconds(at),
            "local": _microseconds(at.dt.tz_convert(rules.zone).dt.tz_localize(None)),
        }
    )
    frame = frame[frame["person"] >= 0].sort_values(["at", "message_id"], ignore_index=True)
    frame["seq"] = np.arange(len(frame))
    frame["day"] = frame["local"] // MICROSECONDS_A_DAY
    frame["hour"] = frame["local"] % MICROSECONDS_A_DAY // MICROSECONDS_AN_HOUR
    frame["weekday"] = (frame["day"] + 3) % 7  # 1970-01-01 was a Thursday
    return _with_roles(frame.drop(columns=["local", "message_id"]), rules)


def _microseconds(times: pd.Series) -> np.ndarray:
    return times.to_numpy(dtype="datetime64[us]").astype(np.int64)


def _with_roles(frame: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Mark visit, core, habit. Empty core means any visit; empty habit means the same as core."""
    roles, name = rules.roles, frame["event"]
    frame["visit"] = ~name.isin(roles["passive"] | roles["refund"])
    frame["core"] = name.isin(roles["core"]) if roles["core"] else frame["visit"]
    frame["habit"] = name.isin(roles["habit"]) if roles["habit"] else frame["core"]
    return frame


def person_days(events: pd.DataFrame) -> pd.DataFrame:
    """One row per person and day with any event: visits (count), core, habit (bool); sorted by person, day."""
    grouped = events.groupby(["person", "day"], sort=True)
    return grouped.agg(visits=("visit", "sum"), core=("core", "any"), habit=("habit", "any")).reset_index()


def property_of_visits(events: pd.DataFrame, key: str) -> pd.DataFrame:
    """The visits that carry a property, as person, day, at, seq and its text in `value`."""
    visits = events[events["visit"]]
    quoted = f'"{key}"'
    mentioned = [isinstance(text, str) and quoted in text for text in visits["properties"]]
    named = visits[np.array(mentioned, dtype=bool)]
    values = pd.Series([as_text(read_json(text).get(key)) for text in named["properties"]], named.index, dtype=object)
    return named[["person", "day", "at", "seq"]].assign(value=values)[values.notna()]


def accepted_referrals(events: pd.DataFrame) -> pd.DataFrame:
    """`Referral Accepted` rows of invitees that name their inviter: person, day, seq, inviter (external id)."""
    rows = events[events["event"] == REFERRAL_EVENT]
    inviter = [as_text(read_json(text).get("referred_by")) for text in rows["properties"]]
    named = rows[["person", "day", "seq"]].assign(inviter=pd.Series(inviter, rows.index, dtype=object))
    return named[named["inviter"].notna()]
