"""Whom an erasure is about."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from users.models import EndUser, IdentityMerge, PushDevice
from users.traits import fill_columns

ADDRESSES = ("email", "phone", "push_token")


class About(msgspec.Struct):
    """Whom an erasure is about: every id, whom those were merged into once, and the texts that lead to them."""

    ids: list[uuid.UUID]
    former: list[uuid.UUID] = []
    external_ids: list[str] = []
    names: list[str] = []
    addresses: dict[str, list[str]] = {}

    @property
    def texts(self) -> list[str]:
        addresses = [one for several in self.addresses.values() for one in several]
        return [*self.external_ids, *map(str, self.ids), *addresses, *self.names]


def about_whom(people: list[EndUser], region: str) -> About:
    """`people`: all ids of one person. `region` as for `fill_columns`."""
    ids = [person.pk for person in people]
    former = IdentityMerge.objects.filter(end_user__in=ids).exclude(into_id__in=ids).values_list("into_id", flat=True)
    told = [*people, *(alone(one.own, region) for one in people if one.own)]
    addresses = {name: {getattr(one, name) for one in told} - {""} for name in ADDRESSES}
    addresses["push_token"].update(PushDevice.objects.filter(end_user__in=ids).values_list("token", flat=True))
    return About(
        ids=ids,
        former=sorted(set(former)),
        external_ids=[person.external_id for person in people],
        names=sorted({person.name for person in told} - {""}),
        addresses={name: sorted(several) for name, several in addresses.items()},
    )


def alone(own: dict[str, Any], region: str) -> EndUser:
    """What is known under one id alone (`EndUser.own`), which newer words of the others may cover."""
    person = EndUser(attributes=own["attributes"])
    fill_columns(person, region)
    return person
