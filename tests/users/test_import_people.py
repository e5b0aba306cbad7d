"""Files about people themselves: profiles, tags and consents, taken in once, never loosening, and taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.users.conftest import stored, track
from tests.users.test_import_undo import dump, undo
from tests.users.test_imports import counts, queue, run_import, write_file
from users import import_run
from users.csv_mapping import Mapping, guess_mapping
from users.models import Consent, EndUser, ImportRowError, person_id
from users.services import add_tag, set_consent
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope

USERS = "external_id email phone city locale zone registered_at tags consent_email level".split()
PEOPLE = Mapping({name: name for name in USERS} | {"level": "property"}, kind="users")
WORDS = Mapping({name: name for name in ("external_id", "channel", "opted_in", "time")}, kind="consents")
ROWS = [
    "u1,u1@b.com,13800138000,上海,zh-CN,Asia/Shanghai,2026-01-05,vip;老客,no,3",
    "u2,u2@b.com,,,,,,vip,yes,4",
    "u3,not an address,,,,,,,,",
    "u4,,,,,Mars/Olympus,,,,",
    "u1,,,北京,,,,,,",
]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: Any) -> None:
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 2)


def take_in(acme: Any, tmp_path: Any, rows: list[str], mapping: Mapping, **options: Any) -> Any:
    path = write_file(tmp_path, rows, ",".join(mapping.roles))
    return run_import(acme, queue(acme, path, mapping=mapping, **options).pk)


def consents(acme: Any) -> dict[tuple[str, str], bool]:
    with workspace_scope(acme):
        return {(word.end_user.external_id, word.channel): word.opted_in for word in Consent.objects.all()}


def test_users_come_in_with_attributes_tags_and_opt_outs_and_go_again(acme, send, tmp_path):
    send("identify", track("1", type="identify", userId="u2", event=None, traits={"email": "old@b.com", "name": "B"},
                           timestamp="2026-07-01T00:00:00Z"))  # fmt: skip
    with workspace_scope(acme):
        add_tag([person_id(acme.pk, "u2")], "mine")
        set_consent([person_id(acme.pk, "u2")], "email", False, "link", datetime(2026, 8, 1, tzinfo=UTC))
    before = dump(acme)
    dry = take_in(acme, tmp_path, ROWS, PEOPLE, dry_run=True)
    assert counts(dry)[2:] == (3, 0, 2, 1) and dump(acme) == before
    file = take_in(acme, tmp_path, ROWS, PEOPLE)
    assert counts(file)[2:] == (3, 0, 2, 1)
    with workspace_scope(acme):
        one, two = (EndUser.objects.get(external_id=name) for name in ("u1", "u2"))
        codes = list(ImportRowError.objects.filter(file=file).order_by("line").values_list("code", "column"))
    assert codes == [("invalid_email", "email"), ("invalid_zone", "zone")]
    assert (one.email, one.phone, one.city, one.locale) == ("u1@b.com", "+8613800138000", "北京", "zh-CN")
    assert (one.zone, one.tags, one.attributes["level"]) == ("Asia/Shanghai", ["vip", "老客"], 3)
    assert one.attributes["registered_at"] == "2026-01-05"
    assert (two.email, two.name, two.tags) == ("u2@b.com", "B", ["mine", "vip"])
    assert consents(acme) == {("u1", "email"): False, ("u2", "email"): False}, "a list of users never loosens"
    again = take_in(acme, tmp_path, ROWS[:2], PEOPLE)
    assert counts(again)[2:4] == (1, 1), "but for the city, that came later in the file, nothing is news"
    undo(acme, again)
    assert undo(acme, file).undone == 3
    assert dump(acme) == before


def test_a_tag_or_a_word_that_came_by_another_way_since_stays(acme, tmp_path):
    file = take_in(acme, tmp_path, ROWS[:1], PEOPLE)
    person = person_id(acme.pk, "u1")
    with workspace_scope(acme):
        add_tag([person], "later")
        set_consent([person], "email", True, "link")
    undo(acme, file)
    with workspace_scope(acme):
        assert EndUser.objects.get().tags == ["later"]
    assert consents(acme) == {("u1", "email"): True}


SAID = [
    "u1,email,no,2026-08-02T00:00:00Z",
    "u1,短信,同意,2026-08-02T00:00:00Z",
    "u2,email,yes,2026-08-02T00:00:00Z",
    "u3,fax,yes,2026-08-02T00:00:00Z",
    "u3,push,perhaps,2026-08-02T00:00:00Z",
    "u4,email,yes,2026-08-02T00:00:00Z",
]


def some_words(acme: Any, send: Any) -> None:
    send("batch", {"batch": [track(str(n), userId=f"u{n}") for n in (1, 2, 4)]})
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, "u1")], "email", True, "form", datetime(2026, 8, 1, tzinfo=UTC))
        set_consent([person_id(acme.pk, "u2")], "email", False, "link", datetime(2026, 8, 1, tzinfo=UTC))
        set_consent([person_id(acme.pk, "u4")], "email", True, "form", datetime(2026, 8, 1, tzinfo=UTC))


def test_a_file_may_tell_of_topics_and_is_taken_back(acme, send, tmp_path):
    some_words(acme, send)
    before = dump(acme)
    said = [
        f"u1,{channel},no,2026-08-02T00:00:00Z" for channel in ("邮件/promotions", "SMS/News-1", "email/两个", "push/")
    ]
    file = take_in(acme, tmp_path, said, WORDS)
    assert counts(file)[2:5] == (2, 0, 2)
    assert {key: told for key, told in consents(acme).items() if "/" in key[1]} == {
        ("u1", "email/promotions"): False, ("u1", "sms/news-1"): False,
    }  # fmt: skip
    undo(acme, file)
    assert dump(acme) == before


def test_consents_without_the_switch_only_tighten(acme, send, tmp_path):
    some_words(acme, send)
    before = dump(acme)
    file = take_in(acme, tmp_path, SAID, WORDS)
    assert counts(file)[2:5] == (1, 1, 4)
    assert consents(acme) == {("u1", "email"): False, ("u2", "email"): False, ("u4", "email"): True}
    with workspace_scope(acme):
        codes = ImportRowError.objects.filter(file=file).order_by("line").values_list("line", "code")
        assert list(codes) == [(3, "would_loosen"), (4, "would_loosen"), (5, "invalid_channel"), (6, "invalid_choice")]
        assert not AuditEntry.objects.filter(action="import.loosen").exists()
    undo(acme, file)
    assert dump(acme) == before


def test_the_confirmed_switch_loosens_but_never_past_a_later_no_and_is_in_the_audit_log(acme, send, tmp_path):
    some_words(acme, send)
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, "u1")], "sms", False, "link", datetime(2026, 8, 3, tzinfo=UTC))
    before = dump(acme)
    file = take_in(acme, tmp_path, SAID, Mapping(WORDS.roles, kind="consents", loosen=True))
    assert counts(file)[2:5] == (3, 1, 2)
    assert consents(acme) == {
        ("u1", "email"): False, ("u1", "sms"): False, ("u2", "email"): True, ("u4", "email"): True,
    }  # fmt: skip
    with workspace_scope(acme):
        assert AuditEntry.objects.filter(action="import.loosen").count() == 1
    undo(acme, file)
    assert dump(acme) == before


def test_words_of_a_person_with_several_ids_are_put_back(acme, send, tmp_path):
    from users.identity import merge_pending

    some_words(acme, send)
    send("alias", {"type": "alias", "previousId": "u1", "userId": "u4", "messageId": "al",
                   "timestamp": "2026-08-01T12:00:00Z"})  # fmt: skip
    merge_pending(acme)
    before = dump(acme)["consent"]
    file = take_in(acme, tmp_path, SAID[:1], WORDS)
    assert consents(acme)["u4", "email"] is False
    undo(acme, file)
    assert dump(acme)["consent"] == before


@pytest.mark.parametrize("agreed_as_one", [True, False])
def test_an_undo_gives_a_word_back_no_looser_and_no_stricter_than_it_was(acme, send, tmp_path, agreed_as_one):
    """One id opted out, the other in; whether the person agreed for both since is part of what is put back."""
    from users.identity import merge_pending

    some_words(acme, send)
    send("alias", {"type": "alias", "previousId": "u2", "userId": "u4", "messageId": "al",
                   "timestamp": "2026-08-01T12:00:00Z"})  # fmt: skip
    merge_pending(acme)
    if agreed_as_one:
        with workspace_scope(acme):
            set_consent([person_id(acme.pk, "u4")], "email", True, "page", datetime(2026, 8, 2, tzinfo=UTC))
    before = dump(acme, "consent", "consent_word")
    assert consents(acme)["u4", "email"] is agreed_as_one
    file = take_in(acme, tmp_path, ["u4,email,no,2026-08-03T00:00:00Z"], WORDS)
    assert consents(acme)["u4", "email"] is False
    undo(acme, file)
    assert dump(acme, "consent", "consent_word") == before


def test_a_time_to_come_in_a_file_does_not_silence_an_opt_out(acme, send, tmp_path):
    some_words(acme, send)
    tomorrow = (timezone.now() + timedelta(hours=20)).isoformat()
    loosening = Mapping(WORDS.roles, kind="consents", loosen=True)
    file = take_in(acme, tmp_path, [f"u2,email,yes,{tomorrow}", f"u1,sms,yes,{tomorrow}"], loosening)
    assert counts(file)[2] == 2
    with workspace_scope(acme):
        assert set_consent([person_id(acme.pk, "u2")], "email", False, "unsubscribe_link") == 1
    assert consents(acme)["u2", "email"] is False
    undo(acme, file)
    assert ("u1", "sms") not in consents(acme), "the undo knows it by the time it was kept with"


def test_orders_have_refunds_and_refuse_another_currency(acme, tmp_path):
    roles = {
        "uid": "external_id",
        "at": "time",
        "paid": "amount",
        "no": "order_id",
        "cur": "currency",
        "back": "refund",
    }
    rows = [
        "u1,2026-08-01,9.5,o1,cny,",
        "u1,2026-08-02,9.5,o1,CNY,已退款",
        "u2,2026-08-02,3,o2,USD,no",
        "u2,2026-08-02,3,o3,,0",
    ]
    file = take_in(acme, tmp_path, rows, Mapping(roles, kind="orders"))
    assert counts(file)[2:5] == (3, 0, 1)
    with workspace_scope(acme):
        told = sorted((event.name.name, event.order_id, event.amount_minor) for event in stored(acme))
        assert ImportRowError.objects.get(file=file).column == "cur"
    assert told == [("Order Completed", "o1", 950), ("Order Completed", "o3", 300), ("Order Refunded", "o1", 950)]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (["user_id", "email", "注册日期", "标签"], "users"),
        (["user_id", "channel", "opt_in", "time"], "consents"),
        (["用户", "下单时间", "实付金额", "订单号"], "orders"),
        (["user_id", "event", "time", "amount"], "events"),
    ],
)
def test_what_a_file_is_about_is_guessed_by_its_columns(columns, kind):
    assert guess_mapping(columns, []).kind == kind
