"""Segments live: made, changed, put away; members follow the rule day by day, and every coming and going is told once."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from campaigns.models import Campaign
from lifecycle.models import Standing
from segmentation import listing, selectors, services
from segmentation.models import Segment, SegmentChange, SegmentDay, SegmentMember
from segmentation.services import create_segment, refresh_segments, update_segment
from tests.segmentation.world import TODAY, ZERO, add_event, add_people, pk
from users.models import EndUser
from workspaces.errors import Conflict, DomainError
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope

VIP = {"all": [{"kind": "tag", "match": "any", "tags": ["vip"]}]}
SLIPPING = {"all": [{"kind": "activity", "flags": ["slipping"]}]}
TOMORROW, LATER = TODAY + timedelta(days=1), TODAY + timedelta(days=2)


def inside(segment: Segment) -> dict[str, date]:
    """Names of the members with the day they entered."""
    days = dict(SegmentMember.objects.filter(segment=segment).values_list("end_user_id", "entered_on"))
    return {name: days[key] for key, name in EndUser.objects.filter(pk__in=days).values_list("pk", "name")}


def changes(segment: Segment, day: date) -> dict[str, str]:
    """ "entered" or "left" by name, as the rows of a day tell it."""
    found = dict(SegmentChange.objects.filter(segment=segment, day=day).values_list("end_user_id", "entered"))
    names = dict(EndUser.objects.filter(pk__in=found).values_list("pk", "name"))
    return {names[key]: "entered" if entered else "left" for key, entered in found.items()}


def tag(workspace, name: str, *tags: str) -> None:  # type: ignore[no-untyped-def]
    EndUser.objects.filter(pk=pk(workspace, name)).update(tags=list(tags))


def only(segment: Segment) -> None:
    Segment.objects.exclude(pk=segment.pk).delete()


def test_a_new_segment_has_its_members_at_once(scope, regulars, world):
    segment = create_segment("  VIP 客户 ", VIP, "scale", world.operator)
    assert (segment.name, segment.goal, segment.owner, segment.size) == ("VIP 客户", "scale", world.operator.pk, 2)
    assert inside(segment) == {"An": TODAY, "Chen": TODAY}
    assert changes(segment, TODAY) == {"An": "entered", "Chen": "entered"}
    entry = AuditEntry.objects.get(action="segment.create")
    assert (entry.operator, entry.detail["definition"]) == (world.operator, VIP)


def test_before_the_first_night_a_segment_waits_for_it(scope):
    segment = create_segment("VIP", VIP)
    assert (segment.size, segment.refreshed_on, SegmentDay.objects.count()) == (None, None, 0)


def test_entered_and_left_are_right_over_several_days_and_twice_is_harmless(scope, regulars):
    segment = create_segment("VIP", VIP)
    only(segment)
    assert refresh_segments(scope, TODAY)["changes"] == 0

    tag(scope, "Bo", "vip")
    tag(scope, "Chen")
    first = refresh_segments(scope, TOMORROW)
    assert first == {"segments": 1, "failed": 0, "entered": 1, "left": 1, "changes": 2}
    assert changes(segment, TOMORROW) == {"Bo": "entered", "Chen": "left"}
    assert inside(segment) == {"An": TODAY, "Bo": TOMORROW}

    again = refresh_segments(scope, TOMORROW)
    assert again["changes"] == 0
    assert changes(segment, TOMORROW) == {"Bo": "entered", "Chen": "left"}

    EndUser.objects.filter(pk=pk(scope, "An")).update(excluded=True)
    EndUser.objects.filter(pk=pk(scope, "Bo")).delete()
    tag(scope, "Chen", "vip")
    assert refresh_segments(scope, LATER)["changes"] == 3
    assert inside(segment) == {"Chen": LATER}
    rows = SegmentDay.objects.filter(segment=segment).order_by("day").values_list("day", "size", "entered", "left")
    assert list(rows) == [(TODAY, 2, 2, 0), (TOMORROW, 2, 1, 1), (LATER, 1, 1, 2)]
    segment.refresh_from_db()
    assert (segment.size, segment.refreshed_on, segment.error) == (1, LATER, "")


def test_a_day_tells_what_differs_from_the_day_before_however_often_it_runs(scope, regulars):
    segment = create_segment("VIP", VIP)
    only(segment)
    tag(scope, "Chen")
    tag(scope, "Bo", "vip")
    refresh_segments(scope, TOMORROW)
    # Late data put it right again before the day's second run: neither came nor went.
    tag(scope, "Chen", "vip")
    tag(scope, "Bo")
    refresh_segments(scope, TOMORROW)
    assert changes(segment, TOMORROW) == {}
    assert inside(segment) == {"An": TODAY, "Chen": TODAY}, "Chen keeps the day of entering"
    day = SegmentDay.objects.get(segment=segment, day=TOMORROW)
    assert (day.size, day.entered, day.left) == (2, 0, 0)


def test_an_old_night_run_again_does_not_take_a_segment_back(scope, regulars):
    segment = create_segment("VIP", VIP)
    tag(scope, "Bo", "vip")
    assert refresh_segments(scope, TODAY - timedelta(days=1))["segments"] == 1, "only Regulars was never refreshed"
    assert "Bo" not in inside(segment)


def test_a_nights_rule_counts_up_to_the_end_of_its_day(scope, regulars):
    rule = {"kind": "event_count", "event": "Order Completed", "times": "at_least", "count": 1, "days": 1}
    segment = create_segment("ordered today", rule)
    assert segment.size == 0
    refresh_segments(scope, TOMORROW)
    assert inside(segment) == {"Chen": TOMORROW}


def test_a_new_name_takes_nothing_back_that_a_night_told_meanwhile(scope, regulars):
    segment = create_segment("VIP", VIP)
    read_before = Segment.objects.get(pk=segment.pk)
    Segment.objects.filter(pk=segment.pk).update(size=7, refreshed_on=TOMORROW, error="too slow", goal="scale")
    update_segment(read_before, name="最好的客户")
    segment.refresh_from_db()
    assert (segment.name, segment.goal) == ("最好的客户", "scale")
    assert (segment.size, segment.refreshed_on, segment.error) == (7, TOMORROW, "too slow")


def test_a_changed_rule_changes_the_members_and_archived_ones_do_not_change(scope, regulars):
    segment = create_segment("VIP", VIP)
    update_segment(segment, definition=SLIPPING, name="risky")
    assert inside(segment) == {"Bo": TODAY}
    assert changes(segment, TODAY) == {"Bo": "entered"}, "those of the old rule were never here at the end of a day"
    services.archive_segment(segment)
    with pytest.raises(Conflict):
        update_segment(segment, name="x")
    Standing.objects.create(end_user_id=pk(scope, "Guo"), stage="use", activity="slipping", stage_since=TODAY, **ZERO)
    refresh_segments(scope, TOMORROW)
    assert inside(segment) == {"Bo": TODAY}
    services.restore_segment(segment)
    assert inside(segment) == {"Bo": TODAY, "Guo": TODAY}


def test_names_goals_and_rules_are_checked(scope, regulars):
    for values, path in (
        ({"name": " ", "definition": VIP}, "name"),
        ({"name": "x" * 101, "definition": VIP}, "name"),
        ({"name": "x", "definition": VIP, "goal": "fame"}, "goal"),
        ({"name": "x", "definition": {}}, ""),
    ):
        with pytest.raises(DomainError) as caught:
            create_segment(**values)
        assert caught.value.path == path
    create_segment("VIP", VIP)
    with pytest.raises(Conflict) as conflict:
        create_segment("VIP", SLIPPING)
    assert (conflict.value.code, conflict.value.path) == ("taken", "name")
    services.archive_segment(Segment.objects.get(name="VIP"))
    create_segment("VIP", SLIPPING)
    with pytest.raises(Conflict):
        services.restore_segment(Segment.objects.get(name="VIP", archived_at__isnull=False))


def test_segments_refer_to_one_another_without_cycles(scope, regulars):
    first = create_segment("first", VIP)
    second = create_segment("second", {"all": [{"kind": "segment", "segment": str(first.pk)}, SLIPPING["all"][0]]})
    third = create_segment("third", {"not": {"kind": "segment", "segment": str(second.pk)}})
    for target in (first, second, third):
        with pytest.raises(DomainError) as caught:
            update_segment(first, definition={"kind": "segment", "segment": str(target.pk)})
        assert caught.value.code == "cyclic_segment"
    with pytest.raises(Conflict):
        services.archive_segment(first)
    with pytest.raises(Conflict):
        services.delete_segment(second)
    # Whatever their order of age, the one referred to is refreshed first.
    tag(scope, "Bo", "vip")
    refresh_segments(scope, TOMORROW)
    assert inside(second) == {"Bo": TOMORROW}
    assert [one.name for one in services.in_order([third, second, first])] == ["first", "second", "third"]


def test_a_segment_that_a_campaign_uses_is_archived_and_not_deleted(scope, regulars):
    segment = create_segment("VIP", VIP)
    campaign = Campaign.objects.create(name="七夕", segment=segment)
    with pytest.raises(Conflict) as caught:
        services.delete_segment(segment)
    assert caught.value.code == "in_use" and "七夕" in caught.value.message
    services.archive_segment(segment)
    campaign.delete()
    services.delete_segment(segment)
    assert not SegmentMember.objects.filter(segment=segment.pk).exists()
    assert not SegmentDay.objects.filter(segment=segment.pk).exists()


def test_a_rule_that_fails_keeps_its_members_and_stops_no_other(scope, regulars):
    segment = create_segment("VIP", VIP)
    broken = create_segment("broken", SLIPPING)
    Segment.objects.filter(pk=broken.pk).update(definition={"all": [{"kind": "horoscope", "sign": "♈"}]})
    tag(scope, "Bo", "vip")
    counts = refresh_segments(scope, TOMORROW)
    assert (counts["failed"], counts["segments"]) == (1, 3)
    assert "Bo" in inside(segment)
    broken.refresh_from_db()
    assert broken.error and broken.refreshed_on == TODAY and inside(broken) == {"Bo": TODAY}
    update_segment(broken, definition=VIP)
    assert broken.error == ""


def test_what_became_of_a_segment_while_others_were_refreshed_counts(scope, regulars, monkeypatch):
    only(regulars)
    gone, changed = create_segment("gone", VIP), create_segment("changed", VIP)
    plain = services.refresh_segment

    def change_in_between(segment, *arguments):  # type: ignore[no-untyped-def]
        if segment.pk == regulars.pk:
            Segment.objects.get(pk=gone.pk).delete()
            Segment.objects.filter(pk=changed.pk).update(definition=SLIPPING)
        return plain(segment, *arguments)

    monkeypatch.setattr(services, "refresh_segment", change_in_between)
    counts = refresh_segments(scope, TOMORROW)
    assert (counts["segments"], counts["failed"]) == (2, 0)
    assert set(inside(changed)) == {"Bo"}, "by the rule as it was then"
    assert not SegmentMember.objects.filter(segment=gone.pk).exists()


def test_one_workspaces_refresh_leaves_the_others_alone(world, scope, regulars):
    with workspace_scope(world.other):
        add_people(world.other, "An")
        theirs = create_segment("theirs", VIP)
        refresh_segments(world.other, TODAY)
        assert inside(theirs) == {"An": TODAY}
    create_segment("VIP", VIP)
    assert refresh_segments(scope, TODAY)["segments"] == 2
    assert not Segment.objects.filter(name="theirs").exists()
    with workspace_scope(world.other):
        assert selectors.members(theirs).people[0].external_id == "an"
        assert SegmentChange.objects.count() == 1


def test_a_live_count_knows_share_reach_and_a_few_of_them(scope, regulars):
    add_event(scope, "Guo", "App Opened", "2026-08-31 23:00", {})
    counted = selectors.count_live(VIP, scope)
    assert (counted.people, counted.base, counted.share) == (2, 6, 2 / 6)
    assert counted.reach == {"email": 1, "sms": 1, "push": 1}
    assert [person.name for person in counted.sample] == ["An", "Chen"]
    assert selectors.count_live(VIP, scope, sample=0).sample == []


def test_members_come_in_pages_that_miss_nobody(scope, regulars):
    segment = create_segment("all", {"kind": "attribute", "name": "city", "compare": "is_not", "text": "nowhere"})
    seen, after = [], ""
    while True:
        page = selectors.members(segment, after, 2)
        seen += [person.name for person in page.people]
        if not (after := page.next):
            break
    assert sorted(seen) == ["An", "Bo", "Chen", "Di", "Fang", "Guo"] and len(seen) == 6
    assert selectors.moved(segment, TODAY, True, limit=3).people[0].facts is not None
    assert selectors.moved(segment, TODAY, False).people == []


def test_members_excluded_since_leave_no_page_empty(scope, regulars):
    segment = create_segment("all", {"kind": "attribute", "name": "city", "compare": "is_not", "text": "nowhere"})
    first = selectors.members(segment, limit=2)
    EndUser.objects.filter(pk__in=[person.pk for person in first.people]).update(excluded=True)
    page = selectors.members(segment, limit=2)
    rest = selectors.members(segment, page.next, limit=2)
    names = {person.name for person in (*first.people, *page.people, *rest.people)}
    assert (len(page.people), len(rest.people), rest.next, len(names)) == (2, 2, "", 6)


def test_the_list_tells_sizes_and_moves_in_a_fixed_number_of_queries(scope, regulars, django_assert_max_num_queries):
    from django.http import QueryDict

    for i in range(12):
        create_segment(f"VIP {i}", VIP)
    with django_assert_max_num_queries(6):
        found = listing.read(QueryDict("q=VIP"), scope)
    assert len(found.lines) == 12 and found.moved == 12 and found.lines[0].sentence
