"""Devices that messages are pushed to: who uses which, and which one of a person's is written to.

A device is a token of an app, as events tell it in passing, and belongs to the id that used it last: of two people who share
a phone only one is written to. A person gets one message, at `EndUser.push_token`: the newest living device of all their
ids, and when it dies the next one. The column stays because segments, reach and the freeze read addresses from the
person; users/sql/settle_push.sql is all that writes it. A token told as a trait (identify, profile_set, imports) is a device
as well, of an app that is called like the trait; it counts for as long as the trait says so, thus not after a logout that
takes it away.

What is repeated is written once a day, so `seen_at` may be a day behind. Of two people whose messages about one token lie
within that day and come in the wrong order, the one who spoke last is known at their next message.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from django.utils import timezone

from users.ingest.normal import Device, NormalProfile
from users.ingest.people import array
from users.models import EndUser, PushDevice
from workspaces.scoping import current_workspace
from workspaces.sql import run_sql

REPEATED = timedelta(days=1)
# Traits that name a token: plain ones, and those of 神策 for 极光, 个推, 小米 and 友盟.
TRAITS = ("push_token", "pushToken", "jgId", "getui_id", "xmId", "umeng_id")
MAX_TOKEN = 400
# What may stand around a token without being of it; here and in SQL.
BLANKS = " \t\r\n\u00a0\u3000"
# An app and its token.
Key = tuple[str, str]


class Seen(msgspec.Struct, frozen=True):
    """That somebody used a device at a time."""

    app: str
    token: str
    person: uuid.UUID
    at: datetime
    platform: str

    @property
    def rank(self) -> tuple[datetime, uuid.UUID]:
        """The higher one counts."""
        return self.at, self.person


def devices_told(news: Mapping[uuid.UUID, Sequence[NormalProfile]]) -> dict[Key, Seen]:
    """Who used each device last, as messages tell."""
    told: dict[Key, Seen] = {}
    for pk, profiles in news.items():
        for profile in profiles:
            for device in devices_of(profile):
                seen, key = Seen(device.app, device.token, pk, profile.at, device.platform), (device.app, device.token)
                if key not in told or told[key].rank < seen.rank:
                    told[key] = seen
    return told


def devices_of(profile: NormalProfile) -> Iterator[Device]:
    """What a message was told from, and what its traits name."""
    if profile.device:
        yield profile.device
    for name in TRAITS:
        value = profile.traits.get(name, profile.firsts.get(name))
        if (
            isinstance(value, (str, int))
            and not isinstance(value, bool)
            and 0 < len(token := str(value).strip(BLANKS)) <= MAX_TOKEN
        ):
            yield Device(name, token)


def find_news(told: Mapping[Key, Seen]) -> tuple[dict[Key, Seen], set[uuid.UUID]]:
    """(those that are worth a write, everybody whose the tokens are until now)."""
    if not told:
        return {}, set()
    rows = list(PushDevice.objects.filter(token__in={token for _app, token in told}))
    known = {(row.app, row.token): row for row in rows}
    fresh = {key: seen for key, seen in told.items() if key not in known or is_news(seen, known[key])}
    tokens = {token for _app, token in fresh}
    holders = {row.end_user_id for row in rows if row.token in tokens}
    return fresh, holders | owners_of(holders - {seen.person for seen in fresh.values()})


def owners_of(people: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those whom some of these ids are merged into."""
    merged = EndUser.objects.filter(pk__in=people, merged_into__isnull=False)
    return set(merged.values_list("merged_into", flat=True)) if people else set()


def is_news(seen: Seen, row: PushDevice) -> bool:
    if seen.person == row.end_user_id:
        return seen.at >= row.seen_at + REPEATED
    return seen.rank > (row.seen_at, row.end_user_id)


def keep_devices(fresh: Mapping[Key, Seen]) -> set[uuid.UUID]:
    """Write what is news, in the open scope; returns the ids whose devices changed, those who lost one as well.

    The caller holds the people. Rows that are new are made first, so that whoever made them a moment ago is seen here.
    """
    if not fresh:
        return set()
    rows = sorted(fresh.values(), key=lambda seen: (seen.token, seen.app))
    workspace = current_workspace()
    PushDevice.objects.bulk_create(
        [
            PushDevice(
                workspace=workspace,
                app=seen.app,
                token=seen.token,
                end_user_id=seen.person,
                platform=seen.platform,
                seen_at=seen.at,
            )
            for seen in rows
        ],
        ignore_conflicts=True,
    )
    tokens = {seen.token for seen in rows}
    held = PushDevice.objects.select_for_update().filter(token__in=tokens).order_by("token", "app")
    before = {row.end_user_id for row in held}
    run_sql("users/see_devices", devices=msgspec.json.encode(rows).decode())
    return before | {seen.person for seen in rows}


def names_token(profile: NormalProfile) -> bool:
    """Whether a message may change which words name a token."""
    return profile.change is not None or any(key in profile.traits for key in TRAITS)


def settle_push(people: Iterable[uuid.UUID]) -> None:
    """Bring `push_token` up to the devices, for these ids and whoever they are merged into."""
    if ids := sorted(set(people)):
        run_sql("users/settle_push", people=array(ids), traits=list(TRAITS), blanks=BLANKS)


def bury(addresses: Collection[tuple[uuid.UUID, str]]) -> None:
    """Nothing arrives at these (person, token) any more, says the provider: their people are written to at their next device.

    People are held before devices, as everywhere. A token that no app told is kept as dead, too, in the open scope.
    """
    if not addresses:
        return
    workspace, now, tokens = current_workspace(), timezone.now(), {token for _pk, token in addresses}
    holders = set(PushDevice.objects.filter(token__in=tokens).values_list("end_user_id", flat=True))
    ids = holders | {pk for pk, _token in addresses}
    held = EndUser.objects.select_for_update().filter(pk__in=ids | owners_of(ids)).order_by("pk")
    there = set(held.values_list("pk", flat=True))
    known = set(PushDevice.objects.filter(token__in=tokens).values_list("token", flat=True))
    PushDevice.objects.bulk_create(
        [
            PushDevice(workspace=workspace, app="", token=token, end_user_id=pk, seen_at=now)
            for pk, token in sorted(addresses)
            if token not in known and pk in there
        ],
        ignore_conflicts=True,
    )
    PushDevice.objects.filter(token__in=tokens, dead_at=None).update(dead_at=now)
    settle_push(there)


def list_devices(people: Iterable[uuid.UUID]) -> list[PushDevice]:
    """The devices of these ids: the living ones first, and of those the one seen last."""
    rows = PushDevice.objects.filter(end_user__in=list(people)).order_by("-seen_at", "token", "app")
    return sorted(rows, key=lambda row: row.dead_at is not None)
