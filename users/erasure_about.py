"""Whom an erasure is about."""

from __future__ import annotations

import uuid

import msgspec

from users.models import EndUser, IdentityMerge, PushDevice

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


def about_whom(people: list[EndUser]) -> About:
    ids = [person.pk for person in people]
    former = IdentityMerge.objects.filter(end_user__in=ids).exclude(into_id__in=ids).values_list("into_id", flat=True)
    addresses = {name: {getattr(one, name) for one in people} - {""} for name in ADDRESSES}
    addresses["push_token"].update(PushDevice.objects.filter(end_user__in=ids).values_list("token", flat=True))
    return About(
        ids=ids,
        former=sorted(set(former)),
        external_ids=[person.external_id for person in people],
        names=sorted({person.name for person in people} - {""}),
        addresses={name: sorted(several) for name, several in addresses.items()},
    )
