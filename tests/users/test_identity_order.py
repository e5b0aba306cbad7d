"""Identities against a simple oracle: any order, any repeats, merged at any moments, the end is the same."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.users import identity_oracle as oracle
from users.identity import merge_pending
from users.identity_rules import Link, who_is_who
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.models import Consent, EndUser, Event, person_id
from users.services import record_events, set_consent
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

DAY = datetime(2026, 8, 1, tzinfo=UTC)
VISITORS = [PersonKey(f"v{n}", False) for n in range(3)]
USERS = [PersonKey(f"u{n}") for n in range(4)]
KEYS = [*VISITORS, *USERS]
times = st.integers(0, 5).map(lambda hours: DAY + timedelta(hours=hours))
numbers = st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), max_size=2)

tracks = st.builds(
    lambda key, at, n: NormalEvent(key, "App Opened", f"{key.external_id}-{n}", at, at),
    st.sampled_from(KEYS), times, st.integers(0, 3),
)  # fmt: skip
identifies = st.builds(
    lambda user, visitor, at, traits, firsts: NormalProfile(user, at, traits, firsts, visitor.external_id),
    st.sampled_from(USERS), st.sampled_from(VISITORS), times, numbers, numbers,
)  # fmt: skip
news = st.builds(
    lambda key, at, traits, firsts: NormalProfile(key, at, traits, firsts),
    st.sampled_from(KEYS),
    times,
    numbers,
    numbers,
)
aliases = st.builds(
    lambda person, previous, at: NormalAlias(person, previous, at), st.sampled_from(KEYS), st.sampled_from(KEYS), times
)
words = st.tuples(st.sampled_from(KEYS), times, st.booleans())
_slugs = itertools.count()


def same_of(item: Any) -> list[oracle.Same]:
    if isinstance(item, NormalAlias):
        return [oracle.Same(item.previous, item.person, item.at)]
    if isinstance(item, NormalProfile) and item.visitor:
        return [oracle.Same(PersonKey(item.visitor, False), item.person, item.at)]
    return []


def expected(workspace: Workspace, items: list[Any], said: list[tuple[PersonKey, datetime, bool]]) -> dict[str, Any]:
    ids = {key: person_id(workspace.pk, key.external_id, key.kind) for key in KEYS}
    owner = oracle.owners(ids, {same for item in items for same in same_of(item)})
    profiles: dict[PersonKey, list] = {}
    for item in items:
        if isinstance(item, NormalProfile):
            profiles.setdefault(owner[item.person], []).append((item.at, item.traits, item.firsts))
    told: dict[PersonKey, list] = {}
    for key, at, opted_in in said:
        told.setdefault(key, []).append((at, opted_in))
    return {
        "owners": {key: owner[key] for key in KEYS},
        "events": sorted(
            {
                (owner[item.person].external_id, item.at, item.message_id)
                for item in items
                if isinstance(item, NormalEvent)
            }
        ),
        "attributes": {key: oracle.profile(profiles.get(key, [])) for key in set(owner.values())},
        "consents": oracle.consents(told, owner),
    }


def stored(workspace: Workspace) -> dict[str, Any]:
    with workspace_scope(workspace):
        people = {person.pk: person for person in EndUser.objects.all()}
        keys = {pk: PersonKey(person.external_id, person.identified) for pk, person in people.items()}
        owner = {keys[pk]: keys[person.merged_into or pk] for pk, person in people.items()}
        return {
            "owners": owner,
            "events": sorted(
                (people[event.end_user_id].external_id, event.client_at, event.message_id)
                for event in Event.objects.exclude(message_id="first")
            ),
            "attributes": {keys[pk]: person.attributes for pk, person in people.items() if person.merged_into is None},
            "consents": {
                keys[word.end_user_id]: word.opted_in
                for word in Consent.objects.all()
                if people[word.end_user_id].merged_into is None
            },
        }


def play(items: list[Any], said: list[tuple[PersonKey, datetime, bool]], dice: random.Random) -> tuple[Workspace, dict]:
    """Everybody is known, words of agreement are there; then all else arrives in some order, some of it twice."""
    workspace = create_workspace(f"play-{next(_slugs)}", "Play", zone="UTC", currency="USD", industry="ecommerce")
    record_events(workspace, [NormalEvent(key, "App Opened", "first", DAY, DAY) for key in KEYS])
    acts: list[Any] = [*items, *dice.sample(items, len(items) // 2), *(word for word in said if not word[2])]
    dice.shuffle(acts)
    for act in [*(word for word in said if word[2]), *acts]:
        if isinstance(act, tuple):
            with workspace_scope(workspace):
                set_consent([person_id(workspace.pk, act[0].external_id, act[0].kind)], "email", act[2], "test", act[1])
        else:
            record_events(workspace, [act])
        if dice.random() < 0.25:
            merge_pending(workspace, strays=dice.random() < 0.5)
    merge_pending(workspace)
    return workspace, stored(workspace)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(st.one_of(tracks, identifies, news, aliases), max_size=14),
    st.lists(words, max_size=4),
    st.randoms(use_true_random=False),
)
def test_the_end_is_a_function_of_the_set_of_messages(db, items, said, dice):
    with transaction.atomic():
        workspace, found = play(items, said, dice)
        wanted = expected(workspace, items, said)
        for what in wanted:
            assert found[what] == wanted[what], what
        again = merge_pending(workspace)
        assert again["changes"] == 0 and stored(workspace) == found
        transaction.set_rollback(True)


def judged(items: list[Any]) -> tuple[dict, dict]:
    """(what the product says, what the oracle says) of who everybody is."""
    ids = {key: person_id(UUID(int=1), key.external_id, key.kind) for key in KEYS}
    told = {same for item in items for same in same_of(item) if same.previous != same.person}
    links = []
    for same in told:
        visitor_last = same.previous.identified and not same.person.identified
        pair = (same.person, same.previous) if visitor_last else (same.previous, same.person)
        links.append(Link(ids[pair[0]], ids[pair[1]], same.at))
    names = {pk: key for key, pk in ids.items()}
    answer = who_is_who({pk: key.identified for pk, key in names.items()}, links)
    return {names[pk]: names[owner] for pk, owner in answer.owners.items()}, oracle.owners(ids, told)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(identifies, aliases), max_size=20))
def test_who_is_who_is_the_oracles(items):
    found, wanted = judged(items)
    assert found == wanted


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(identifies, aliases.filter(lambda a: not a.person.identified or not a.previous.identified))))
def test_no_device_however_shared_joins_two_users(items):
    found, _wanted = judged(items)
    assert all(found[user] == user for user in USERS)
