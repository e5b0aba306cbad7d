"""Whether a person can be written to on a channel: an address, no opt-out, not suppressed, and consent where demanded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from segmentation.conditions import Condition, Example, Field, Option, Sql, Values
from users.erasure_marks import address_mark_sql, pads

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

CHANNELS = (
    Option("email", gettext_lazy("Email")),
    Option("sms", gettext_lazy("SMS")),
    Option("push", gettext_lazy("Push")),
)
# Where the address of each channel is kept; the text in SQL comes from here.
ADDRESSES = {"email": "p.email", "sms": "p.phone", "push": "p.push_token"}


class Reachable(Condition):
    key = "reachable"
    label = gettext_lazy("Reachable")
    group = "reach"
    position = 20
    fields = (
        Field(
            "channel",
            gettext_lazy("Channel"),
            "select",
            CHANNELS,
            default="sms",
            before=pgettext_lazy("reachable", "by"),
        ),
    )
    examples = (
        Example.of("An", channel="email"),
        Example.of("An", "Bo", channel="sms"),
        Example.of("Chen", channel="push"),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        channel, address = values["channel"], ADDRESSES[values["channel"]]
        words = "select c.end_user_id, c.opted_in from consent c where c.workspace_id = %s and c.channel = %s"
        stops = "select x.address from suppression x where x.workspace_id = %s and x.channel = %s"
        own = [query.workspace.pk, channel]
        consent = query.join(words, own)
        # The suppression list is kept in lower case; an address as it was told.
        suppression = query.join(stops, own, on=f"{{alias}}.address = lower({address})")
        # That of somebody who was erased is kept as its hash; nothing is hashed where nobody was.
        halves = pads()
        hashed = f"case when exists ({stops} and x.reason = 'erased') then {address_mark_sql(address, '%s', '%s')} end"
        erased = query.join(stops, [*own, *own, halves["outer"], halves["inner"]], on=f"{{alias}}.address = {hashed}")
        agreed = f"{consent}.opted_in" if query.workspace.rules.consent_required else f"{consent}.opted_in is not false"
        return f"{address} <> '' and {agreed} and coalesce({suppression}.address, {erased}.address) is null", []

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        label = next(option.label for option in CHANNELS if option.key == values["channel"])
        return _("reachable by %(channel)s") % {"channel": label}
