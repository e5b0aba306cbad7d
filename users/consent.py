"""What people agreed to be written about: a word per channel, and per topic of a channel ("email/promotions").

A topic's word stands beside the channel's: whoever opted out of the channel gets nothing, whoever opted out of a topic
gets nothing of that topic. Both are kept the same way, so that merging ids treats them alike (users/identity_consent.py).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from users.identity_consent import Word, columns_of, say_for_all
from users.import_newcomers import keep_people_in
from users.ingest.normal import TOPIC, NormalProfile
from users.models import Topic
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator
from workspaces.services import audit
from workspaces.sql import run_sql

CHANNELS = ("email", "sms", "push")
MOST_TOPICS = 50
KEY = re.compile(f"({'|'.join(CHANNELS)})(/{TOPIC})?")
# The trait in which SDKs tell consent: {"email": true, "email/promotions": false}.
TRAIT = "consent"


def set_consent(
    people: Iterable[uuid.UUID],
    channel: str,
    opted_in: bool,
    source: str,
    at: datetime | None = None,
    by: Operator | None = None,
    *,
    loosens: bool = True,
) -> int:
    """Keep the latest word of people on being written to on a channel, or on a topic of it (`consent_key`).

    Returns for how many it is news. A word older than the one known changes nothing. `loosens`: whether it may turn an
    opt-out into an opt-in, which only a person's own choice may, or proof of it; imports never come here.
    """
    at, source = at or timezone.now(), source[:100]
    changed = set_words([Word(pk, channel, opted_in, at) for pk in set(people)], source, loosens=loosens)
    if changed and by:
        audit("people.consent", channel, by, people=changed, opted_in=opted_in, source=source)
    return changed


def set_words(words: Iterable[Word], source: str, *, loosens: bool = True) -> int:
    """The same for many words at once, each id and channel once.

    No word is later than now: one of a clock that is ahead would stand against what the person says next.
    """
    keep_people_in()
    now = timezone.now()
    words = [word._replace(at=min(word.at, now)) for word in words]
    several, changed = say_for_all(words, source, loosens=loosens)
    alone = columns_of([word for word in words if word.person not in several])
    return changed + len(run_sql("users/set_consent", **alone, source=source, loosens=loosens))


def consent_key(channel: Any, topic: Any = "") -> str:
    """How a word on a channel, or on a topic of it, is kept. Raises DomainError naming what does not exist."""
    if channel not in CHANNELS:
        raise DomainError("invalid", _("This channel does not exist."), "channel")
    if not topic:
        return str(channel)
    if not isinstance(topic, str) or not re.fullmatch(TOPIC, topic) or not Topic.objects.filter(key=topic).exists():
        raise DomainError("not_found", _("There is no such topic."), "topic")
    return f"{channel}/{topic}"


def hear_consents(news: Mapping[uuid.UUID, Sequence[NormalProfile]]) -> None:
    """Keep the words that messages told in the trait `consent`, by the id they were told of.

    Write keys are public, so what comes this way opts anybody out, and in only who never opted out: it loosens nothing.
    What is no channel or topic, or neither true nor false, is left where it is, in the attribute. All words of a batch are
    kept at once, however many somebody makes up; of those of one id on one thing an opt-out, else the latest.
    """
    said: dict[tuple[uuid.UUID, str], Word] = {}
    for pk, profiles in news.items():
        for profile in profiles:
            told = profile.traits.get(TRAIT)
            if profile.passing or not isinstance(told, dict):
                continue
            for key, opted_in in told.items():
                if isinstance(opted_in, bool) and KEY.fullmatch(key):
                    word = Word(pk, key, opted_in, profile.at)
                    said[pk, key] = max(word, said.get((pk, key), word), key=lambda one: (not one.opted_in, one.at))
    if said:
        set_words(said.values(), "sdk", loosens=False)


def list_topics() -> list[Topic]:
    return list(Topic.objects.order_by("name", "key"))


def create_topic(key: str, name: str, by: Operator | None = None) -> Topic:
    """A kind of message that people may opt out of. Raises DomainError naming the field, Conflict when the key is taken."""
    key, name = key.strip(), " ".join(name.replace("\0", "").split())
    if not re.fullmatch(TOPIC, key):
        raise DomainError(
            "invalid", _("A key has up to 40 lower-case letters, digits, hyphens and underscores."), "key"
        )
    if not name or len(name) > 100:
        raise DomainError("invalid", _("A name has 1 to 100 characters."), "name")
    if Topic.objects.count() >= MOST_TOPICS:
        raise DomainError("too_many", _("At most %(n)s topics.") % {"n": MOST_TOPICS}, "key")
    try:
        with transaction.atomic():
            topic = Topic.objects.create(key=key, name=name)
    except IntegrityError as error:
        raise Conflict("taken", _("There is a topic with this key already."), "key") from error
    audit("topic.create", key, by, name=name)
    return topic


def rename_topic(topic: Topic, name: str, by: Operator | None = None) -> None:
    """What people read on the page where they unsubscribe. Raises DomainError."""
    name = " ".join(name.replace("\0", "").split())
    if not name or len(name) > 100:
        raise DomainError("invalid", _("A name has 1 to 100 characters."), "name")
    Topic.objects.filter(pk=topic.pk).update(name=name)
    audit("topic.rename", topic.key, by, name=name)
