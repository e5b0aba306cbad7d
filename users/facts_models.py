"""Tables of the night: the current facts of each person, what the next night goes on from, and what it has to look at."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from users.person_model import PersonModel, to_person
from workspaces.models import TenantModel


class FactColumns(PersonModel):
    """The numbers of one end user. Catalogue: users/facts.py."""

    end_user = to_person()
    first_seen_on = models.DateField(null=True)
    last_seen_on = models.DateField(null=True)
    registered_on = models.DateField(null=True)
    visits_7 = models.IntegerField(default=0)
    visits_30 = models.IntegerField(default=0)
    visits_90 = models.IntegerField(default=0)
    visits = models.IntegerField(default=0)
    active_days_7 = models.IntegerField(default=0)
    active_days_30 = models.IntegerField(default=0)
    active_days_90 = models.IntegerField(default=0)
    active_days = models.IntegerField(default=0)
    core_days = models.IntegerField(default=0)
    first_core_on = models.DateField(null=True)
    last_core_on = models.DateField(null=True)
    # Distinct habit days in the habit window ending today, and whether any window ever held enough.
    habit_days = models.IntegerField(default=0)
    ever_habit = models.BooleanField(default=False)
    ever_paid = models.BooleanField(default=False)
    orders = models.IntegerField(default=0)
    revenue_minor = models.BigIntegerField(default=0)
    revenue_365_minor = models.BigIntegerField(default=0)
    # The same within the RFM window of the workspace, which the scores are made from.
    window_orders = models.IntegerField(default=0)
    window_revenue_minor = models.BigIntegerField(default=0)
    first_order_on = models.DateField(null=True)
    last_order_on = models.DateField(null=True)
    average_order_minor = models.BigIntegerField(null=True)
    coupon_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    subsidy_dependent = models.BooleanField(null=True)
    gap_median = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    gap_p90 = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    recommendations = models.IntegerField(default=0)
    favourite_category = models.CharField(max_length=200, blank=True)
    favourite_hour = models.SmallIntegerField(null=True)
    favourite_weekday = models.SmallIntegerField(null=True)
    app_version = models.CharField(max_length=50, blank=True)
    effective = models.BooleanField(default=False)

    class Meta(PersonModel.Meta):
        abstract = True


class Facts(FactColumns):
    """The current numbers of one end user, as of the workspace's current day."""

    pk = models.CompositePrimaryKey("end_user", "workspace")

    class Meta(PersonModel.Meta):
        db_table = "facts"
        indexes = [
            models.Index(fields=["workspace"], name="facts_workspace"),
            models.Index(fields=["workspace"], condition=models.Q(recommendations__gt=0), name="facts_recommended"),
        ]


class StateColumns(PersonModel):
    """What a night goes on from, so that a new day of somebody does not cost their whole history (users/night.py).

    A tally is one number per value: how often × 10⁸ (categories: 10¹²), plus how late the last visit with it was, as
    users/sql/facts_favourites.sql says.
    """

    end_user = to_person()
    # Who they are, as the facts were told: another answer makes them due.
    created_on = models.DateField()
    told_on = models.DateField(null=True)
    told_inviter = models.TextField(null=True)
    # The latest active days, 31 at most, in order.
    recent_days = ArrayField(models.DateField(), default=list)
    hours = ArrayField(models.BigIntegerField(), default=list)
    weekdays = ArrayField(models.BigIntegerField(), default=list)
    categories = ArrayField(models.TextField(), default=list)
    category_tallies = ArrayField(models.BigIntegerField(), default=list)
    # The id that their inviter goes by, and the day on which they became a lasting recommendation.
    inviter_id = models.UUIDField(null=True)
    recommended_on = models.DateField(null=True)

    class Meta(PersonModel.Meta):
        abstract = True


class FactsState(StateColumns):
    pk = models.CompositePrimaryKey("end_user", "workspace")
    # Whether SpellCount holds this person's spells, as of the published day.
    spells_counted = models.BooleanField(default=True, db_default=True)

    class Meta(PersonModel.Meta):
        db_table = "facts_state"
        indexes = [
            models.Index(
                fields=["workspace", "recommended_on"],
                condition=models.Q(recommended_on__isnull=False),
                name="facts_state_recommended",
            )
        ]


class FactsNext(FactColumns):
    """Facts that the night which is under way will publish. `gone`: the person leaves the numbers."""

    pk = models.CompositePrimaryKey("end_user", "workspace")
    gone = models.BooleanField(default=False)
    # How many people more this makes: 1, 0 or -1.
    joins = models.SmallIntegerField(default=0)
    # From the published row: 0 nothing, 1 visits in windows alone, 2 habit days in their window as well, 3 more than that.
    differs_by = models.SmallIntegerField(default=3)

    class Meta(PersonModel.Meta):
        db_table = "facts_next"


class FactsStateNext(StateColumns):
    pk = models.CompositePrimaryKey("end_user", "workspace")

    class Meta(PersonModel.Meta):
        db_table = "facts_state_next"


class FactsDue(PersonModel):
    """Whose facts the night of a day, or the first one after, makes afresh from everything that is kept of them."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "due_on")
    end_user = to_person()
    due_on = models.DateField()

    class Meta(PersonModel.Meta):
        db_table = "facts_due"


class PersonNews(PersonModel):
    """People who are somebody else than they were: new, merged, excluded, with other attributes. Written by triggers."""

    pk = models.CompositePrimaryKey("workspace", "id")
    id = models.UUIDField(default=uuid.uuid4)
    people = ArrayField(models.UUIDField())
    # Who has taken note of it: the facts, and the catalogue of attributes.
    for_facts = models.BooleanField(default=True, db_default=True)
    for_attributes = models.BooleanField(default=True, db_default=True)

    class Meta(PersonModel.Meta):
        db_table = "person_news"


class SpellCount(TenantModel):
    """How many visits of a day were followed by so many days without one; `length` -1: nobody came since."""

    pk = models.CompositePrimaryKey("workspace", "day", "length")
    day = models.DateField()
    length = models.SmallIntegerField()
    people = models.IntegerField()

    class Meta(TenantModel.Meta):
        db_table = "spell_count"
