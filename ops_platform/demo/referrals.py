"""Who brought whom. Friends who came to stay make advocates; eleven inviters brought 620 who did not."""

from __future__ import annotations

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick
from ops_platform.demo.days import DAYS, REFERRAL_WEEK, utc_ms
from ops_platform.demo.habits import habit_reached
from ops_platform.demo.journal import Journal
from ops_platform.demo.sessions import Visits
from ops_platform.demo.world import Kind, Tag, World

JOIN_DAYS = 30
REWARD_POINTS = 200


def assign_inviters(world: World) -> None:
    """Sets `world.inviter` of everyone invited, so that advocates and nobody else recommended with success."""
    rng = world.rng("referrals")
    invited = (world.source == catalogue.REFERRAL) & ~world.excluded
    good = invited & _came_to_stay(world)
    week = (world.registered_on >= REFERRAL_WEEK[0]) & (world.registered_on <= REFERRAL_WEEK[1])
    last_seen = DAYS - 1 - np.argmax(world.active[:, ::-1], axis=1)
    _give_advocates_a_friend(world, rng, good)
    fakes = np.flatnonzero(world.tag == Tag.FAKE)
    eleven = _pick_eleven(world, rng, last_seen)
    world.inviter[fakes] = rng.permutation(eleven[np.arange(fakes.size) % eleven.size])
    innocent = ~world.excluded & ~np.isin(np.arange(world.size), eleven)
    steady = world.is_kind(Kind.ADVOCATE)
    harmless = innocent & (steady | world.is_kind(Kind.CONTACT, Kind.ONCE, Kind.TWICE) & ~_ever_valued(world))
    crowd = _week_inviters(world, rng, invited & week, innocent, harmless, last_seen)
    for invitee in np.flatnonzero(invited & (world.inviter < 0)):
        may = (harmless if good[invitee] else innocent) & (world.registered_on < world.registered_on[invitee])
        may &= (last_seen >= world.registered_on[invitee]) & (crowd if week[invitee] else True)
        choices = np.flatnonzero(may)
        world.inviter[invitee] = rng.choice(choices) if choices.size else -1
    world.planted["referral"] = {"fakes": fakes, "eleven": eleven}


def _came_to_stay(world: World) -> np.ndarray:
    person, days = world.orders["person"], world.orders["day"]
    early = days - world.registered_on[person] <= JOIN_DAYS + 1
    return np.bincount(person[early], minlength=world.size) >= 2


def _ever_valued(world: World) -> np.ndarray:
    ordered = np.zeros((world.size, DAYS), bool)
    ordered[world.orders["person"], world.orders["day"]] = True
    return habit_reached(ordered) | (world.member_on >= 0)


def _give_advocates_a_friend(world: World, rng: np.random.Generator, good: np.ndarray) -> None:
    """Each advocate gets one good invitee who joined later; the latest advocates choose first."""
    advocates = np.flatnonzero(world.kind == Kind.ADVOCATE)
    safely = JOIN_DAYS - 2
    person, days = world.orders["person"], world.orders["day"]
    sure = good & (np.bincount(person[days - world.registered_on[person] <= safely], minlength=world.size) >= 2)
    for advocate in advocates[np.argsort(-world.registered_on[advocates], kind="stable")]:
        later = sure & (world.inviter < 0) & (world.registered_on > world.registered_on[advocate])
        choices = np.flatnonzero(later & (np.arange(world.size) != advocate))
        if choices.size:
            world.inviter[rng.choice(choices)] = advocate


def _pick_eleven(world: World, rng: np.random.Generator, last_seen: np.ndarray) -> np.ndarray:
    able = world.is_kind(Kind.CONTACT, Kind.ONCE) & (world.tag == Tag.NONE)
    able &= (world.registered_on < REFERRAL_WEEK[0]) & (last_seen >= REFERRAL_WEEK[1])
    return pick(rng, able.astype(float), world.count(11))


def _week_inviters(
    world: World,
    rng: np.random.Generator,
    invited: np.ndarray,
    innocent: np.ndarray,
    harmless: np.ndarray,
    last_seen: np.ndarray,
) -> np.ndarray:
    """The other 399 inviters of the referral week; each of them gets at least one of the week's ordinary invitees."""
    present = innocent & (world.registered_on < REFERRAL_WEEK[0]) & (last_seen >= REFERRAL_WEEK[1])
    already = np.unique(world.inviter[invited & (world.inviter >= 0) & (world.tag != Tag.FAKE)])
    wanted = world.count(399) - already.size
    weights = present * np.where(harmless, 1.0, 0.6)
    weights[already] = 0
    chosen = pick(rng, weights, max(wanted, 1))
    open_to = np.flatnonzero(invited & (world.inviter < 0) & ~_came_to_stay(world))
    given = rng.permutation(open_to)[: chosen.size]
    world.inviter[given] = chosen[: given.size]
    crowd = np.zeros(world.size, bool)
    crowd[chosen] = crowd[already] = True
    return crowd


def write_referrals(world: World, visits: Visits, journal: Journal) -> None:
    """Link Shared by the inviter, Referral Accepted by the invitee, points for the inviter; links nobody took."""
    rng = world.rng("referral events")
    invitees = np.flatnonzero(world.inviter >= 0)
    inviters = world.inviter[invitees]
    joined = utc_ms(world.registered_on[invitees], world.registered_s[invitees])
    ids = world.ids
    journal.add("Referral Accepted", invitees, joined + 4000, [f'{{"inviter":"{ids[i]}"}}' for i in inviters])
    texts = [f'{{"points":{REWARD_POINTS},"reason":"referral","invitee":"{ids[i]}"}}' for i in invitees]
    journal.add("Points Earned", inviters, joined + 5000, texts)
    seen = np.where(world.active & (np.arange(DAYS)[None, :] >= world.registered_on[:, None]), np.arange(DAYS), -1)
    latest = np.maximum.accumulate(seen, axis=1)
    shared_on = latest[inviters, world.registered_on[invitees] - 1]
    person, days = np.unique(np.stack([inviters, shared_on]), axis=1)
    journal.add(
        "Link Shared", person, utc_ms(days, visits.start_of[person, days] + 60), ['{"channel":"wechat"}'] * person.size
    )
    idle = np.flatnonzero(rng.random(visits.person.size) < 0.012)
    at = utc_ms(visits.day[idle], visits.start[idle] + 90)
    channels = rng.choice(["wechat", "moments", "copy"], idle.size, p=[0.6, 0.3, 0.1])
    journal.add("Link Shared", visits.person[idle], at, [f'{{"channel":"{c}"}}' for c in channels])
