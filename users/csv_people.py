"""Rows about people themselves: what is known of them, or whether they agreed to be written to. No database here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from users.csv_mapping import RowReader, read_time, read_value
from users.import_kinds import ABOUT_PEOPLE, CONSENTS, TRAITS
from users.ingest import normal
from users.ingest.normal import NormalProfile, PersonKey, Refused
from workspaces.zones import known_zones

YES = frozenset("1 true yes y in opt-in opted-in opted_in subscribed granted 是 同意 订阅 已订阅 开".split())
NO = frozenset("0 false no n out opt-out opted-out opted_out unsubscribed denied 否 不同意 拒绝 退订 已退订 关".split())
CHANNELS = {"email": "email", "mail": "email", "邮件": "email", "邮箱": "email", "sms": "sms", "短信": "sms"}
CHANNELS |= {"phone": "sms", "push": "push", "推送": "push", "app push": "push"}
BETWEEN_TAGS = re.compile(r"[,;|，；、]")
LONGEST_TAG = 50


class Tagged(msgspec.Struct):
    """Tags that a row gives a person."""

    person: PersonKey
    tags: list[str]


class Said(msgspec.Struct):
    """What a person said about being written to on a channel, and when."""

    person: PersonKey
    channel: str
    opted_in: bool
    at: datetime


def read_choice(text: str) -> bool:
    """A yes or a no. Raises Refused."""
    text = text.strip().lower()
    if text not in YES and text not in NO:
        raise Refused("invalid_choice", "This is neither a yes nor a no.")
    return text in YES


def read_channel(text: str) -> str:
    """A channel, or a topic of it as in "email/promotions". Raises Refused."""
    name, slash, topic = text.strip().lower().partition("/")
    channel = CHANNELS.get(name)
    if channel is None or (slash and not re.fullmatch(normal.TOPIC, topic)):
        raise Refused("invalid_channel", "Channels are email, sms and push, topics of them as in email/promotions.")
    return channel + slash + topic


class PersonReader(RowReader):
    """Reads rows about people. A row without a time is as new as its import."""

    def read(self, cells: list[str], occurrence: int) -> list[Any]:
        """What a row tells: words for `consents`, else a profile, tags and opt-outs. Raises Refused with the column."""
        person = self.checked("external_id", cells, self.person)
        at = self.checked("time", cells, self.at) if self.cell("time", cells) else self.received_at
        # A word of a clock that is ahead would stand against what the person says next.
        said_at = min(at, self.received_at)
        if self.mapping.kind == "consents":
            self.checked("time", cells, self.at)
            channel = self.checked("channel", cells, read_channel)
            return [Said(person, channel, self.checked("opted_in", cells, read_choice), said_at)]
        told: list[Any] = [NormalProfile(person, at, self.read_person_traits(cells), passing=True)]
        if tags := self.checked("tags", cells, read_tags):
            told.append(Tagged(person, tags))
        for role, channel in CONSENTS.items():
            # A list of users is no proof that they agreed: it can only say that they did not.
            if self.cell(role, cells) and not self.checked(role, cells, read_choice):
                told.append(Said(person, channel, False, said_at))
        return told

    def read_person_traits(self, cells: list[str]) -> dict[str, Any]:
        told: dict[str, Any] = {name: read_value(text) for n, name in self.kept if (text := cells[n].strip())}
        told |= {role: text for role in (*TRAITS, "locale") if (text := self.cell(role, cells))}
        for trait, usable in (("email", normal.clean_email), ("phone", self.is_phone)):
            if trait in told and trait in self.place and not usable(told[trait]):
                raise Refused(f"invalid_{trait}", "This is no address.", self.mapping.column_of(trait) or "")
        if self.cell("zone", cells):
            told["zone"] = self.checked("zone", cells, read_zone)
        if self.cell("registered_at", cells):
            told["registered_at"] = self.checked("registered_at", cells, self.read_day)
        return normal.clean_traits(normal.clean_properties(told, "traits"))

    def read_day(self, text: str) -> str:
        """A day of the workspace, in ISO."""
        at = normal.check_history(read_time(text, self.mapping.time_format, self.zone), self.received_at)
        return at.astimezone(ZoneInfo(self.zone)).date().isoformat()


def read_tags(text: str) -> list[str]:
    tags = [" ".join(tag.split()) for tag in BETWEEN_TAGS.split(text)]
    if any(len(tag) > LONGEST_TAG for tag in tags):
        raise Refused("invalid_tag", "A tag has at most 50 characters.")
    return list(dict.fromkeys(normal.clean_text(tag, "tags") for tag in tags if tag))


def read_zone(text: str) -> str:
    if text not in known_zones():
        raise Refused("invalid_zone", "This is no time zone, such as Asia/Shanghai.")
    return text


def reader_of(mapping: Any, *told: Any) -> RowReader:
    """The reader for what a file is about."""
    return (PersonReader if mapping.kind in ABOUT_PEOPLE else RowReader)(mapping, *told)
