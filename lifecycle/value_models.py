"""Tables of value: what was fitted each night, what is expected of each buyer, and what people of a source cost and bring."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from users.models import PersonModel, to_person
from workspaces.models import TenantModel


class ValueModel(TenantModel):
    """What one night found out about repeat buying, or why it did not. Kept for good."""

    pk = models.CompositePrimaryKey("workspace", "day")
    day = models.DateField()
    # fitted, few_buyers, few_repeaters, short_history, no_fit_orders, no_fit_spend.
    outcome = models.CharField(max_length=20)
    buyers = models.IntegerField()
    repeaters = models.IntegerField()
    first_on = models.DateField(null=True)
    # bg or mbg; {r, alpha, a, b, log_likelihood}, in weeks; {p, q, v, log_likelihood}, v in minor units.
    variant = models.CharField(max_length=3, blank=True)
    buying = models.JSONField(default=dict)
    spending = models.JSONField(default=dict)
    # Of repeat buyers: correlation of how often they order with what an order comes to, which gamma-gamma takes for none.
    correlation = models.FloatField(null=True)
    # Fitted on the days up to `until` and held against those after: lifecycle/value_backtest.py.
    back_test = models.JSONField(default=dict)
    expected_orders = models.FloatField(null=True)
    expected_revenue_minor = models.BigIntegerField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "value_model"


class PersonValue(PersonModel):
    """What is expected of one buyer in the 52 weeks after the current day. Catalogue: lifecycle/value_facts.py."""

    pk = models.CompositePrimaryKey("end_user", "workspace")
    end_user = to_person()
    expected_orders = models.DecimalField(max_digits=9, decimal_places=2)
    expected_revenue_minor = models.BigIntegerField()
    # Of repeat buyers only: of somebody who ordered once it cannot be told.
    alive_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    # Order days after the first that the back-test knew of; null for whoever first ordered later.
    tested_repeats = models.IntegerField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "person_value"
        # None by what is expected: every buyer's number is another one each night.
        indexes = [models.Index(fields=["workspace"], name="person_value_workspace")]


class SourceMonth(TenantModel):
    """People registered from one source in one month, and what they brought, as of the current day."""

    pk = models.CompositePrimaryKey("workspace", "source", "month")
    source = models.CharField(max_length=100)
    month = models.DateField()
    people = models.IntegerField()
    effective = models.IntegerField()
    buyers = models.IntegerField()
    revenue_minor = models.BigIntegerField()
    expected_revenue_minor = models.BigIntegerField()
    # At place n: people whose first n days are over, and what these brought in them; 1 to 365.
    aged = ArrayField(models.IntegerField())
    brought_minor = ArrayField(models.BigIntegerField())

    class Meta(TenantModel.Meta):
        db_table = "source_month"


class SourceCost(TenantModel):
    """What operators say one month of one source cost."""

    pk = models.CompositePrimaryKey("workspace", "source", "month")
    source = models.CharField(max_length=100)
    month = models.DateField()
    spend_minor = models.BigIntegerField()
    rewards_minor = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "source_cost"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(spend_minor__gte=0, rewards_minor__gte=0), name="source_cost_not_negative"
            )
        ]
