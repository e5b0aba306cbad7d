"""Facts at the edges of their definitions; the comparison with the oracle covers the rest."""

from __future__ import annotations

import dataclasses

from django.utils import translation

from tests import builders
from tests.night.reading import facts, night
from users.facts import FACTS, UNITS
from users.models import EndUser, Facts, person_id
from workspaces.scoping import workspace_scope


def test_the_catalogue_has_every_column_and_nothing_else():
    columns = {field.name for field in Facts._meta.concrete_fields} - {"workspace", "end_user"}
    assert set(FACTS) == columns
    kinds = {"DateField": "date", "BooleanField": "boolean", "CharField": "text"}
    for key, fact in FACTS.items():
        assert fact.unit in UNITS and str(fact.label) and str(fact.sentence).endswith((".", "。"))
        assert fact.kind == kinds.get(Facts._meta.get_field(key).get_internal_type(), "number"), key
    assert all(dataclasses.asdict(fact)["key"] == key for key, fact in FACTS.items())


def test_people_without_events_have_facts_and_others_have_none(acme):
    builders.person(acme, "contact", created="2026-08-10")
    builders.person(acme, "later", created="2026-08-12")
    builders.person(acme, "visitor", identified=False)
    builders.event(acme, "staff", "App Opened", "2026-08-01")
    builders.person(acme, "staff", excluded=True)
    builders.person(acme, "told", created="2026-08-20")
    builders.event(acme, "told", "Push Delivered", "2026-08-11")
    night(acme, "2026-08-11")
    with workspace_scope(acme):
        known = set(Facts.objects.values_list("end_user_id", flat=True))
    assert known == {person_id(acme.pk, "contact"), person_id(acme.pk, "told")}
    assert facts(acme, "contact").last_seen_on is None


def test_somebody_excluded_loses_their_row_and_gets_the_same_one_back(acme):
    builders.event(acme, "ann", "Product Viewed", "2026-08-01 09:00", category="food", app_version="5")
    night(acme, "2026-08-11")
    before = {f.attname: getattr(facts(acme, "ann"), f.attname) for f in Facts._meta.concrete_fields}
    builders.person(acme, "ann", excluded=True)
    night(acme, "2026-08-11")
    assert facts(acme, "ann") is None
    builders.person(acme, "ann", excluded=False)
    night(acme, "2026-08-11")
    assert {f.attname: getattr(facts(acme, "ann"), f.attname) for f in Facts._meta.concrete_fields} == before


def test_a_night_sees_nothing_of_later_days(acme):
    builders.event(acme, "ann", "Order Completed", "2026-08-01", order_id="o1", total=10)
    builders.event(acme, "ann", "Order Completed", "2026-08-20", order_id="o1", total=50)
    builders.event(acme, "ann", "Order Refunded", "2026-08-25", order_id="o1", total=50)
    builders.event(acme, "ann", "Product Viewed", "2026-08-20 21:00", category="tea")
    night(acme, "2026-08-10")
    told = facts(acme, "ann")
    assert (told.orders, told.revenue_minor, told.visits, told.favourite_category) == (1, 1000, 1, "")
    night(acme, "2026-08-22")
    assert facts(acme, "ann").revenue_minor == 5000
    night(acme, "2026-08-25")
    assert (facts(acme, "ann").orders, facts(acme, "ann").revenue_minor) == (0, 0)


def test_windows_end_on_the_day_and_people_leave_them(acme):
    builders.event(acme, "ann", "App Opened", "2026-08-01")
    night(acme, "2026-08-07")
    assert (facts(acme, "ann").visits_7, facts(acme, "ann").visits_30) == (1, 1)
    night(acme, "2026-08-08")
    assert (facts(acme, "ann").visits_7, facts(acme, "ann").visits_30) == (0, 1)
    night(acme, "2026-08-31")
    assert (facts(acme, "ann").visits_30, facts(acme, "ann").active_days_90, facts(acme, "ann").visits) == (0, 1, 1)


def test_an_effective_newcomer_acts_within_seven_days_of_registering(acme):
    for who, core in {"same": "2026-08-01", "week": "2026-08-08", "late": "2026-08-09", "before": "2026-07-31"}.items():
        builders.event(acme, who, "Account Registered", "2026-08-01")
        builders.event(acme, who, "Order Completed", core, total=1)
    builders.event(acme, "unregistered", "Order Completed", "2026-08-01", total=1)
    night(acme, "2026-08-31")
    people = ("same", "week", "late", "before", "unregistered")
    assert [facts(acme, who).effective for who in people] == [True, True, False, False, False]
    acme.settings = {"effective_days": 8}
    acme.save()
    night(acme, "2026-08-31")
    assert facts(acme, "late").effective


def test_the_rfm_window_is_a_setting(acme):
    builders.event(acme, "ann", "Order Completed", "2025-08-31", total=10)
    builders.event(acme, "ann", "Order Completed", "2026-08-30", total=7)
    night(acme, "2026-08-31")
    told = facts(acme, "ann")  # 2025-09-01 is the first of the 365 days
    assert (told.window_orders, told.window_revenue_minor, told.revenue_365_minor, told.revenue_minor) == (
        1,
        700,
        700,
        1700,
    )
    acme.settings = {"rfm_window": None}
    acme.save()
    night(acme, "2026-08-31")
    assert (facts(acme, "ann").window_orders, facts(acme, "ann").revenue_365_minor) == (2, 700)


def test_hostile_attributes_do_not_stop_the_night(acme):
    traits = {"registered_at": "2026-02-30", "created": {"a": 1}, "balance": "1e999999999", "referred_by": ["x"]}
    builders.person(acme, "ann", attributes=traits)
    builders.event(acme, "ann", "Product Viewed", "2026-08-01", category="x" * 5000, app_version={"deep": []})
    acme.settings = {"limit_rule": "with_balance"}
    acme.save()
    night(acme, "2026-08-31")
    told = facts(acme, "ann")
    assert (told.registered_on, len(told.favourite_category), told.app_version) == (None, 200, "")


def test_labels_are_in_both_languages():
    with translation.override("en"):
        assert str(FACTS["last_seen_on"].label) == "Last visit"


def test_recommendations_survive_an_inviter_who_is_excluded(acme):
    builders.person(acme, "ann")
    builders.event(acme, "bob", "Account Registered", "2026-07-01")
    builders.person(acme, "bob", referred_by="ann")
    for day in ("2026-07-02", "2026-07-31"):
        builders.event(acme, "bob", "Order Completed", day, total=1)
    night(acme, "2026-07-30")
    assert facts(acme, "ann").recommendations == 0
    night(acme, "2026-07-31")
    assert facts(acme, "ann").recommendations == 1
    with workspace_scope(acme):
        EndUser.objects.filter(external_id="bob").update(excluded=True)
    night(acme, "2026-07-31")
    assert facts(acme, "ann").recommendations == 0


def test_orders_beyond_all_measure_end_no_night(acme, as_role):
    """A write key is public: whoever sends a hundred orders of 10^15 has the sums of everybody stand at a bound."""
    builders.event(acme, "ann", "Order Completed", "2026-08-09", order_id="o1", total=20)
    for n in range(120):
        for who in ("mallory", "mallet"):
            builders.event(acme, who, "Order Completed", "2026-07-01", order_id=f"{who}{n}", total=999_999_999_999_999)
    for n in range(100):
        builders.event(acme, "marvin", "Order Refunded", "2026-07-02", order_id=f"gone{n}", total=999_999_999_999_999)
    for _again in range(2):
        night(acme, "2026-08-10")
    assert facts(acme, "mallory").revenue_minor == 4 * 10**18 and facts(acme, "mallory").orders == 120
    assert facts(acme, "marvin").revenue_minor == -4 * 10**18
    assert facts(acme, "ann").revenue_minor == 2000
    acme.refresh_from_db()
    assert str(acme.current_day) == "2026-08-10"
    client = as_role("analyst")
    for page in ("", "users/?sort=spend", "tiers/day/", "tiers/rfm/", "tiers/churn/", "tiers/lifecycle/", "value/"):
        assert client.get(f"/w/acme/{page}").status_code == 200, page
