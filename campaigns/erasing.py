"""What an erasure does here: addresses stay off the mailing lists as keyed hashes, and deliveries count on for nobody."""

from __future__ import annotations

from campaigns import inbox
from campaigns.channels import all_channels
from campaigns.models import OPEN_STATES, Delivery, Feedback, Run, Suppression
from campaigns.suppressions import suppress_erased
from users.erasure_about import About
from workspaces.sql import run_sql


def erase_messages(about: About) -> int:
    """Erase what was sent to a person and what came back, in the open scope; returns how many rows. Twice is harmless.

    What is on its way is stopped; a message that a provider has in hand right now may still arrive.
    """
    rows = 0
    for channel in all_channels().values():
        addresses = set(about.addresses.get(channel.address_attribute, ()))
        sent = Delivery.objects.filter(end_user__in=about.ids, channel=channel.key).exclude(address="")
        addresses.update(sent.values_list("address", flat=True))
        lower = {address.strip().lower() for address in addresses}
        rows += Suppression.objects.filter(channel=channel.key, address__in=lower).delete()[0]
        suppress_erased(channel.key, addresses)
        inbox.forget(channel.key, lower)
        for address in addresses:
            rows += Run.objects.filter(error__contains=address).update(error="")
    ids = list(map(str, about.ids))
    rows += Feedback.objects.filter(end_user__in=about.ids)._raw_delete("default")
    Delivery.objects.filter(end_user__in=about.former, origin_id__in=about.ids).update(origin_id=None)
    return rows + run_sql("campaigns/erase_deliveries", ids=ids, open=list(OPEN_STATES))[0]["rows"]
