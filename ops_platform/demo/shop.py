"""示例电商: the simulated shop, from nothing to fourteen nights, three campaigns and a home page with something to say."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

import pandas as pd

from campaigns.local_servers import LocalInbox
from campaigns.services import settle_night
from lifecycle.sources import save_costs
from ops_platform.demo import touches
from ops_platform.demo.replay import send
from ops_platform.demo.steps import Steps
from ops_platform.demo.story import EVENT_ROLES, LAST_DAY, Story, generate, last_days
from ops_platform.nightly import run_night
from users.ingest.normal import NormalProfile, PersonKey
from users.mapping import set_roles
from users.models import person_id
from users.services import bulk_load, exclude, set_consent, upsert_people
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_key, create_workspace

SLUG = "demo"
NIGHTS = 14
LIVE_DAYS = 2
# The shop's own clock when its campaigns leave: early enough for orders to follow within the story.
FIRST_MAIL_ON = LAST_DAY - timedelta(days=7)
SECOND_MAIL_ON = LAST_DAY - timedelta(days=3)


def build(steps: Steps, address: str, inbox: LocalInbox) -> Workspace:
    """Fill workspace `demo`; returns it. Everything but the last days goes in in bulk, those over HTTP at `address`."""
    with steps("tell the story (20,000 people)"):
        story = generate()
    workspace = create_workspace(SLUG, "示例电商", frozen_on=LAST_DAY, settings={"pay_stage": True})
    bulk, live = last_days(story, LIVE_DAYS)
    with steps("load people and consents"):
        load_people(workspace, story)
    with steps(f"load {len(bulk):,} events in bulk"):
        loaded = bulk_load(workspace, bulk)
        assert loaded["accepted"] == len(bulk), f"{loaded} of {len(bulk)} events"
    load_costs(workspace, story)
    touches.connect(workspace, inbox)
    for past in story.past_campaigns:
        touches.record_past(workspace, past)
    with workspace_scope(workspace):
        _key, write_key = create_key("write", "demo app")
    for ago in range(NIGHTS - 1, -1, -1):
        day = LAST_DAY - timedelta(days=ago)
        if ago < LIVE_DAYS:
            today = live[live["at"].dt.tz_convert(workspace.zone).dt.date == day]
            with steps(f"{day}: {len(today):,} events over HTTP by Segment's client"):
                send(today, address, write_key)
        with steps(f"{day}: the night"):
            run_night(workspace, day, "demo")
        if ago == NIGHTS - 1:
            settle_past(workspace, story)
        if day == FIRST_MAIL_ON:
            with steps("segments, and three campaigns over email, SMS and push"):
                send_first(workspace, day, address)
        if day == SECOND_MAIL_ON:
            with steps("a second mail, which those who unsubscribed do not get"):
                touches.send_campaign(workspace, touches.SECOND_MAIL, morning(workspace, day))
    return workspace


def settle_past(workspace: Workspace, story: Story) -> None:
    """Count who bought after the campaigns of the past, once the first night has read the orders."""
    for past in story.past_campaigns:
        sent_on = datetime.fromtimestamp(past["sent_at_ms"] / 1000, tz=workspace.tzinfo).date()
        with workspace_scope(workspace):
            settle_night(workspace, sent_on + timedelta(days=past["window_days"] + 1))


def morning(workspace: Workspace, day: date) -> datetime:
    """Ten in the morning after the night of `day`."""
    return datetime.combine(day + timedelta(days=1), time(10), workspace.tzinfo)


def send_first(workspace: Workspace, day: date, address: str) -> None:
    touches.make_segments(workspace)
    sent = [touches.send_campaign(workspace, spec, morning(workspace, day)) for spec in touches.CAMPAIGNS]
    touches.unsubscribe_some(workspace, sent[0], address)


def load_people(workspace: Workspace, story: Story) -> None:
    """Profiles, who is excluded, who agreed to what, and what the shop's event names mean.

    Registering names the visitor whom somebody was until then; the first night finds out that they are one person.
    """
    people = story.people
    visitors = dict(zip(story.anonymous_links["external_id"], story.anonymous_links["anonymous_id"], strict=True))
    upsert_people(workspace, [profile_of(row, visitors) for row in people.to_dict("records")])
    with workspace_scope(workspace):
        set_roles({role: list(names) for role, names in EVENT_ROLES.items()})
        for reason, rows in people[people["excluded_reason"] != ""].groupby("excluded_reason"):
            exclude(ids_of(workspace, rows), reason)
        for channel in ("email", "sms", "push"):
            for opted_in, rows in people.groupby(people[f"consent_{channel}"].astype(bool)):
                set_consent(ids_of(workspace, rows), channel, bool(opted_in), "registration")


def ids_of(workspace: Workspace, rows: pd.DataFrame) -> list[uuid.UUID]:
    return [person_id(workspace.pk, external_id) for external_id in rows["external_id"]]


def load_costs(workspace: Workspace, story: Story) -> None:
    """What each source cost, month by month, as an operator would have entered it."""
    costs = [
        {
            "source": row["source"],
            "month": date.fromisoformat(f"{row['month']}-01"),
            "spend_minor": round(row["spend"] * 100),
            "rewards_minor": round(row["reward"] * 100),
        }
        for row in story.spend.to_dict("records")
        if row["spend"] or row["reward"]
    ]
    with workspace_scope(workspace):
        save_costs(costs)


TRAITS = (
    "name",
    "email",
    "phone",
    "push_token",
    "city",
    "source",
    "referred_by",
    "gender",
    "birthday",
    "favourite_category",
)


def profile_of(row: dict[str, Any], visitors: dict[str, str]) -> NormalProfile:
    traits = {name: row[name] for name in TRAITS if name in row and isinstance(row[name], str) and row[name]}
    who = row["external_id"]
    return NormalProfile(PersonKey(who), row["registered_at"].to_pydatetime(), traits, visitor=visitors.get(who, ""))
