"""The facts that come out of the models of value: beside those of users/facts.py, wherever facts can be chosen.

A key is a column of `person_value`.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from users.facts import Fact

VALUE_FACTS: dict[str, Fact] = {
    fact.key: fact
    for fact in (
        Fact(
            "expected_revenue_minor",
            "minor",
            _("Expected spend, 12 months"),
            _("Expected orders times what an order of theirs is expected to come to, over the next 52 weeks."),
        ),
        Fact(
            "expected_orders",
            "expected",
            _("Expected orders, 12 months"),
            _("Days with an order that the model expects in the next 52 weeks."),
        ),
        Fact(
            "alive_percent",
            "percent",
            _("Chance to buy again"),
            _("How likely it is that somebody who ordered more than once has not left for good."),
        ),
    )
}
