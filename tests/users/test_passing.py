"""What events repeat in passing, against an oracle that looks at all messages at once.

A repeat of what is known is not written, so it leaves no time behind: that is its price, and these tests say how high it is.
"""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from users.identity import merge_pending
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.models import EndUser
from users.services import record_events
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

DAY = datetime(2026, 8, 1, tzinfo=UTC)
KEYS = [PersonKey("u0"), PersonKey("v0", False)]
_slugs = itertools.count()


class Telling(NamedTuple):
    """One message about one attribute: a word, one in passing, or one that only fills a gap."""

    minute: int
    kind: str
    attribute: str
    value: Any
    key: PersonKey = KEYS[0]

    def news(self) -> NormalProfile:
        at, told = DAY + timedelta(minutes=self.minute), {self.attribute: self.value}
        if self.kind == "first":
            return NormalProfile(self.key, at, {}, told, passing=True)
        return NormalProfile(self.key, at, told, passing=self.kind == "passing")


def newest(told: list[Telling]) -> dict[str, Any]:
    """What everybody would be told who knew all messages: the newest word, else the earliest that fills the gap."""
    found = {}
    for attribute in {one.attribute for one in told}:
        about = sorted(one for one in told if one.attribute == attribute)
        words = [one for one in about if one.kind != "first"]
        found[attribute] = words[-1].value if words else about[0].value
    return {attribute: value for attribute, value in found.items() if value is not None}


def play(acts: list[Any], dice: random.Random) -> dict[str, Any]:
    """What the person's profile comes to when these arrive in this order, some at a time, merged now and then."""
    batches: list[list[Any]] = []
    while acts:
        size = dice.randint(1, 3)
        batches.append(acts[:size])
        acts = acts[size:]
        if dice.random() < 0.3:
            batches.append([])
    return play_batches(batches)


def play_batches(batches: list[list[Any]]) -> dict[str, Any]:
    """What it comes to in these batches; where one is empty what is pending is merged, and in the end."""
    workspace = create_workspace(f"passing-{next(_slugs)}", "Passing", zone="UTC", currency="USD", industry="ecommerce")
    record_events(workspace, [NormalEvent(KEYS[0], "App Opened", "first", DAY, DAY)])
    for batch in [*batches, []]:
        if batch:
            record_events(workspace, batch)
        else:
            merge_pending(workspace)
    with workspace_scope(workspace):
        return EndUser.objects.get(external_id="u0").attributes


def repeated(acts: list[Any], dice: random.Random) -> list[Any]:
    """The same in another order, half of them twice."""
    acts = acts + dice.sample(acts, len(acts) // 2)
    dice.shuffle(acts)
    return acts


JOINED = NormalAlias(KEYS[0], KEYS[1], DAY)
tellings = st.lists(
    st.builds(
        Telling,
        st.integers(0, 5000),
        st.sampled_from(["word", "passing", "passing", "first"]),
        st.sampled_from("xy"),
        st.sampled_from([None, 1, 2]),
        st.sampled_from(KEYS),
    ),
    max_size=9,
    unique_by=lambda one: (one.minute, one.attribute),
)
# A first of None fills nothing, and a sender has no way to say it.
tellings = tellings.map(lambda told: [one for one in told if one.kind != "first" or one.value is not None])
dices = st.randoms(use_true_random=False)
few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
LATE = [Telling(1, "passing", "x", 1), Telling(3, "passing", "x", 1), Telling(2, "word", "x", 2)]


@few
@given(tellings, dices)
def test_in_the_order_of_time_and_with_repeats_nothing_is_lost(db: None, told: list[Telling], dice: Any) -> None:
    acts: list[Any] = [JOINED]
    for one in sorted(told):
        acts += [one.news(), *[other.news() for other in told if other < one and dice.random() < 0.3]]
    with transaction.atomic():
        assert play(acts, dice) == newest(told)
        transaction.set_rollback(True)


@few
@given(tellings, dices)
def test_in_any_order_without_passing_it_is_what_the_oracle_says(db: None, told: list[Telling], dice: Any) -> None:
    told = [one._replace(kind="word") if one.kind == "passing" else one for one in told]
    with transaction.atomic():
        assert play(repeated([JOINED, *[one.news() for one in told]], dice), dice) == newest(told)
        transaction.set_rollback(True)


@few
@given(tellings, dices)
@example(LATE, random.Random(1))
def test_in_any_order_no_word_loses_to_an_older_one(db: None, told: list[Telling], dice: Any) -> None:
    """What is shown was told, and not before the newest word: only what passed by later can be overlooked."""
    with transaction.atomic():
        found = play(repeated([JOINED, *[one.news() for one in told]], dice), dice)
        transaction.set_rollback(True)
    for attribute in "xy":
        about = [one for one in told if one.attribute == attribute and one.kind != "first"]
        since = max((one.minute for one in about if one.kind == "word"), default=0)
        possible = [one.value for one in about if one.minute >= since]
        assert found.get(attribute) in (possible or [newest(told).get(attribute)])


@few
@given(tellings, dices)
@example(LATE, random.Random(1))
def test_with_the_next_event_every_order_has_come_to_the_same(db: None, told: list[Telling], dice: Any) -> None:
    last = [Telling(6000, "passing", attribute, 1, key) for attribute in "xy" for key in KEYS]
    with transaction.atomic():
        acts = repeated([JOINED, *[one.news() for one in told]], dice)
        assert play([*acts, *[one.news() for one in last]], dice) == {"x": 1, "y": 1}
        transaction.set_rollback(True)


@pytest.mark.parametrize("other", [None, 2])
@pytest.mark.parametrize("together", [False, True])
def test_what_is_repeated_before_two_ids_are_merged_is_remembered(db: None, other: Any, together: bool) -> None:
    """It is known under one id and news under the other. `together`: in the same batch as what makes them one."""
    told = [Telling(0, "word", "x", 1), Telling(1, "word", "x", other, KEYS[1]), Telling(2, "passing", "x", 1)]
    news = [one.news() for one in told]
    batches = [news[:2], [JOINED, news[2]]] if together else [[JOINED], news[:2], news[2:]]
    assert play_batches(batches) == newest(told) == {"x": 1}


def test_what_is_told_late_stands_until_the_next_event(db: None) -> None:
    """The price: a repeat was not written down, and what is older than it is taken for newer."""
    acts = [one.news() for one in LATE]
    assert newest(LATE) == {"x": 1}
    assert play(acts, random.Random(1)) == {"x": 2}
    assert play([*acts, Telling(4, "passing", "x", 1).news()], random.Random(1)) == {"x": 1}
