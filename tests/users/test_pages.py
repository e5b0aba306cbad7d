"""The pages of imports and event meaning, as each role uses them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from users.import_run import run_import
from users.models import Event, EventName, Import, Touched
from users.selectors import list_event_names, roles_of
from users.tasks import run_imports
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope

ORDERS = "user_id,order_id,时间,金额,city\nu1,o1,2026-08-01,12.50,上海\nu2,o2,2026-08-02 10:00,¥8,北京\nu3,o3,yesterday,8,杭州\n"


def upload(client: Any, content: str | bytes, name: str = "orders.csv") -> Any:
    content = content.encode() if isinstance(content, str) else content
    return client.post("/w/acme/imports/upload/", {"file": SimpleUploadedFile(name, content)})


def the_import(world: Any) -> Import:
    with workspace_scope(world.acme):
        return Import.objects.get()


@pytest.fixture
def media(settings: Any, tmp_path: Any) -> Any:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def uploaded(as_role: Any, world: Any, media: Any) -> Any:
    client = as_role("operator")
    answer = upload(client, ORDERS)
    assert answer.status_code == 302
    client.url = answer["Location"]
    return client


def chosen(**changes: str) -> dict[str, str]:
    roles = {"role-0": "external_id", "role-1": "order_id", "role-2": "time", "role-3": "amount", "role-4": "city"}
    return {**roles, "event": "Order Completed", "time_format": "iso", **changes}


def test_an_uploaded_file_is_kept_under_a_name_of_our_own_and_its_columns_are_guessed(uploaded, world, media):
    file = the_import(world)
    assert [path.name for path in (media / "imports").iterdir()] == [file.path.rsplit("/", 1)[1]] != ["orders.csv"]
    roles = file.mapping["mapping"]["roles"]
    assert roles == {"user_id": "external_id", "order_id": "order_id", "时间": "time", "金额": "amount", "city": "city"}
    page = uploaded.get(uploaded.url).content.decode()
    assert "2026-08-01 12:00" in page and "¥12.50" in page and "上海" in page


def test_the_preview_shows_how_the_columns_chosen_so_far_are_read_and_stores_nothing(uploaded, world):
    page = uploaded.post(f"{uploaded.url}preview/", chosen(**{"role-3": "property"})).content.decode()
    assert "¥12.50" not in page and "时间" in page  # the third row has no time
    assert the_import(world).mapping["mapping"]["roles"]["金额"] == "amount"


def test_a_check_then_the_import_then_the_error_file(uploaded, world):
    assert uploaded.post(f"{uploaded.url}start/", chosen(verb="check")).status_code == 302
    file = run_import(world.acme, the_import(world).pk)
    assert (file.state, file.dry_run, file.accepted, file.rejected, file.new_people) == ("done", True, 2, 1, 2)
    assert "users/?import=" not in uploaded.get(uploaded.url).content.decode(), "a check makes nobody known"
    assert uploaded.post(f"{uploaded.url}start/", chosen(verb="run")).status_code == 302
    file = run_import(world.acme, file.pk)
    assert (file.state, file.dry_run, file.accepted, file.rejected, file.new_people) == ("done", False, 2, 1, 2)
    people = f"/w/acme/users/?import={file.pk}"
    assert people in uploaded.get(uploaded.url).content.decode()
    listed = uploaded.get(people, headers={"Accept-Language": "en"})
    assert sorted(row["external_id"] for row in listed.context["page"].rows) == ["u1", "u2"]
    assert "new with the file “orders.csv”" in listed.content.decode()
    errors = b"".join(uploaded.get(f"{uploaded.url}errors.csv").streaming_content).decode("utf-8-sig").splitlines()
    assert len(errors) == 2 and errors[1].startswith("4,时间,") and errors[1].endswith(",yesterday")
    with workspace_scope(world.acme):
        assert Event.objects.count() == 2
        assert AuditEntry.objects.filter(action="import.run").count() == 1


def test_that_only_the_first_refused_lines_are_kept_is_said(uploaded, world):
    uploaded.post(f"{uploaded.url}start/", chosen(verb="run"))
    file = run_import(world.acme, the_import(world).pk)
    assert "are kept" not in uploaded.get(uploaded.url, headers={"Accept-Language": "en"}).content.decode()
    with workspace_scope(world.acme):
        Import.objects.filter(pk=file.pk).update(rejected=12_345)
    page = uploaded.get(uploaded.url, headers={"Accept-Language": "en"}).content.decode()
    assert "Of 12,345 lines that were refused the first 10,000 are kept." in page


def test_a_broker_that_is_down_does_not_stop_an_import(
    uploaded, world, monkeypatch, django_capture_on_commit_callbacks
):
    def broken(*_args):
        raise ConnectionError("no broker")

    monkeypatch.setattr(run_imports, "delay", broken)
    with django_capture_on_commit_callbacks(execute=True):
        assert uploaded.post(f"{uploaded.url}start/", chosen(verb="run")).status_code == 302
    assert the_import(world).state == "due", "the minute's tick will work through it"


def test_what_is_missing_is_said_at_the_column_and_nothing_typed_is_lost(uploaded):
    answer = uploaded.post(f"{uploaded.url}start/", chosen(**{"role-2": "skip", "event": "Bought Something"}))
    page = answer.content.decode()
    assert answer.status_code == 422 and "Bought Something" in page and 'value="skip" selected' in page
    answer = uploaded.post(f"{uploaded.url}start/", chosen(**{"role-4": "amount"}))
    assert answer.status_code == 422 and "is-invalid" in answer.content.decode()


@pytest.mark.parametrize(
    ("wrong", "field"), [({"event": "x" * 201}, "event"), ({"time_format": "at five"}, "time_format")]
)
def test_what_cannot_be_read_is_said_at_its_field_and_starts_nothing(uploaded, world, wrong, field):
    answer = uploaded.post(f"{uploaded.url}start/", chosen(**{"role-2": "skip", **wrong}))
    page = answer.content.decode()
    assert answer.status_code == 422 and f'id="id_{field}-error"' in page and 'value="skip" selected' in page
    assert the_import(world).state == "new"


def test_opt_ins_that_nobody_confirmed_are_asked_about_with_all_that_was_chosen(as_role, world, media):
    client = as_role("operator")
    said = "user,way,agrees,at,note\nu1,email,yes,2026/08/01,x\n"
    url = upload(client, said.encode(), "said.csv").url
    assert client.post(f"{url}layout/", {"kind": "consents"}).status_code == 302
    roles = {f"role-{n}": role for n, role in enumerate(("external_id", "channel", "opted_in", "time", "skip"))}
    told = roles | {"time_format": "%Y/%m/%d", "loosen": "on", "verb": "run"}
    assert "<td>u1</td>" in client.post(f"{url}preview/", told).content.decode(), "a row is shown as it is read"
    answer = client.post(f"{url}start/", told)
    page = answer.content.decode()
    assert answer.status_code == 422 and 'id="id_confirmed-error"' in page
    for choice in (*(f'value="{role}" selected' for role in roles.values()), 'value="%Y/%m/%d" selected'):
        assert choice in page
    assert re.search(r'<input[^>]*name="loosen"[^>]* checked', page)
    assert the_import(world).state == "new"
    assert client.post(f"{url}start/", told | {"confirmed": "on"}).status_code == 302
    assert the_import(world).mapping["mapping"]["loosen"]


def test_an_import_is_paused_gone_on_with_and_undone_from_its_page(uploaded, world):
    uploaded.post(f"{uploaded.url}start/", chosen(verb="run"))
    uploaded.post(f"{uploaded.url}pause/")
    assert the_import(world).state == "paused"
    page = uploaded.get(uploaded.url).content.decode()
    assert f"{uploaded.url}resume/" in page and f"{uploaded.url}start/" not in page, "it cannot be started now"
    uploaded.post(f"{uploaded.url}resume/")
    assert run_import(world.acme, the_import(world).pk).state == "done"
    assert "undo-import" in uploaded.get(uploaded.url).content.decode()
    uploaded.post(f"{uploaded.url}undo/")
    assert the_import(world).state == "undoing"
    assert run_import(world.acme, the_import(world).pk).state == "undone"
    with workspace_scope(world.acme):
        assert Event.objects.count() == 0
        actions = AuditEntry.objects.filter(action__startswith="import.").values_list("action", flat=True)
        assert sorted(actions) == ["import.pause", "import.resume", "import.run", "import.undo"]
    uploaded.post(f"{uploaded.url}undo/")
    assert the_import(world).state == "undone"


def test_what_an_undo_would_take_back_is_told_of_every_run_and_by_the_part_that_is_renewed(uploaded, world):
    for verb in ("run", "check"):  # of a check nothing would go, of the run before it two events and their people
        uploaded.post(f"{uploaded.url}start/", chosen(verb=verb))
        run_import(world.acme, the_import(world).pk)
        for headers in ({}, {"HX-Request": "true"}):
            page = uploaded.get(uploaded.url, headers={"Accept-Language": "en", **headers}).content.decode()
            assert "The 2 events it stored go, and those of its 2 new users" in page
    uploaded.post(f"{uploaded.url}undo/")
    assert run_import(world.acme, the_import(world).pk).undone == 2


def test_when_a_check_has_ended_the_page_with_the_next_step_is_asked_for(uploaded, world):
    uploaded.post(f"{uploaded.url}start/", chosen(verb="check"))
    renew = {"HX-Request": "true"}
    assert "HX-Refresh" not in uploaded.get(uploaded.url, headers=renew)
    run_import(world.acme, the_import(world).pk)
    assert uploaded.get(uploaded.url, headers=renew)["HX-Refresh"] == "true"
    assert 'value="run"' in uploaded.get(uploaded.url).content.decode()


def test_a_running_import_refuses_a_second_start_and_can_be_cancelled(uploaded, world):
    uploaded.post(f"{uploaded.url}start/", chosen(verb="run"))
    assert uploaded.post(f"{uploaded.url}start/", chosen(verb="run")).status_code == 422
    part = uploaded.get(uploaded.url, headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" in part and "<html" not in part
    uploaded.post(f"{uploaded.url}cancel/")
    assert the_import(world).state == "cancelled"
    assert run_import(world.acme, the_import(world).pk) is None


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "submitted file is empty|空"),
        (b"user_id,time\n", "no rows|没有数据行"),
        (b"a,a\nx,y\n", "same name|同名"),
        (b"PK\x03\x04....", "spreadsheet|CSV UTF-8"),
        (b"a" + b",".join(b"c%d" % n for n in range(300)) + b"\n" + b",".join([b"x"] * 300), "255"),
        (b'user_id,time\nu1,"open\nu2,2026-08-01\n', "2"),
        (b"\x81\xff,\xff\n1,2\n", "GB18030"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(as_role, world, media, content, word):
    answer = upload(as_role("operator"), content)
    assert answer.status_code == 422
    assert any(text in answer.content.decode() for text in word.split("|"))
    assert not list((media / "imports").glob("*")) if (media / "imports").exists() else True


def test_the_name_of_a_file_is_shown_as_text_and_used_nowhere(as_role, world, media):
    client = as_role("operator")
    upload(client, ORDERS, "../../etc/<svg onload=alert(1)>.csv")
    file = the_import(world)
    assert "/" not in file.name and str(media) in file.path
    assert "<svg onload" not in client.get("/w/acme/imports/").content.decode()


def test_columns_can_be_cut_in_another_way(as_role, world, media):
    client = as_role("operator")
    answer = upload(client, "u1;2026-08-01;3,5\nu2;2026-08-02;4,5\n")
    assert list(the_import(world).mapping["layout"]["columns"]) == ["1", "2", "3"]
    client.post(f"{answer['Location']}layout/", {"delimiter": "comma", "encoding": "utf-8-sig"})
    assert list(the_import(world).mapping["layout"]["columns"]) == ["1", "2"]


def test_a_wrong_encoding_is_told_beside_the_choice_which_stays(as_role, world, media):
    client = as_role("operator")
    answer = upload(client, ORDERS.encode("gb18030"))
    typed = {"delimiter": "semicolon", "encoding": "utf-8-sig", "header": "on"}
    told = client.post(f"{answer['Location']}layout/", typed)
    page = told.content.decode()
    assert told.status_code == 422 and '<details class="card" open>' in page and 'id="id_encoding-error"' in page
    assert '<option value="utf-8-sig" selected>' in page and '<option value="semicolon" selected>' in page
    assert '<details class="card" open>' not in client.get(answer["Location"]).content.decode()


def test_a_file_that_is_no_longer_kept_leads_to_the_next_upload(uploaded, world):
    assert 'value="check"' in uploaded.get(uploaded.url).content.decode()
    Path(the_import(world).path).unlink()
    page = uploaded.get(uploaded.url).content.decode()
    assert 'value="check"' not in page and '<a class="btn btn-primary" href="/w/acme/imports/">' in page


def test_formats_of_times_are_shown_by_an_example(uploaded):
    page = uploaded.get(uploaded.url).content.decode()
    for shown in ("20260831", "2026年08月31日", "31.08.2026 09:30", "31/08/2026", "08/31/2026 09:30"):
        assert f">{shown}</option>" in page


def test_an_analyst_may_look_and_not_upload(as_role, world, media):
    client = as_role("analyst")
    assert client.get("/w/acme/imports/").status_code == 200
    assert upload(client, ORDERS).status_code == 403


def test_lists_ask_the_database_a_fixed_number_of_times(as_role, world, media, django_assert_max_num_queries):
    client = as_role("operator")
    for _ in range(5):
        upload(client, ORDERS)
    with django_assert_max_num_queries(16):
        assert client.get("/w/acme/imports/").status_code == 200


# --- event meaning -------------------------------------------------------------------------------------------------


@pytest.fixture
def arrived(world: Any, send: Any) -> Any:
    from tests.users.conftest import track

    send("batch", {"batch": [track("1"), track("2", event="App Opened", userId="u2"), track("3", event="App Opened")]})
    with workspace_scope(world.acme):
        Touched.objects.all().delete()
        return {name.name: name for name in EventName.objects.all()}


def test_the_mapping_page_shows_what_arrived_and_says_what_is_missing(as_role, world, arrived):
    client = as_role("analyst")
    page = client.get("/w/acme/events/mapping/").content.decode()
    assert "App Opened" in page and "disabled" in page
    assert "core action" in page or "核心行为" in page
    counts = client.get("/w/acme/events/mapping/counts/").content.decode()
    assert f'id="arrived-{arrived["App Opened"].pk}"' in counts and ">2<" in counts.replace("\n", "")


def test_ticking_a_role_touches_whoever_did_the_event_and_is_audited(as_role, world, arrived):
    client = as_role("admin")
    opened, ordered = arrived["App Opened"], arrived["Order Completed"]
    with workspace_scope(world.acme):  # so that no fallback to "any visit" comes into it
        EventName.objects.filter(pk=ordered.pk).update(is_core=True, is_habit=True)
    shown = [opened.pk, ordered.pk]
    data = {"shown": shown, "core": [ordered.pk], "habit": [ordered.pk], "passive": [opened.pk]}
    assert client.post("/w/acme/events/mapping/change/", data).status_code == 302
    with workspace_scope(world.acme):
        assert roles_of(EventName.objects.get(pk=opened.pk)) == ["passive"]
        assert [len(row.people) for row in Touched.objects.all()] == [2]  # u1 and u2 opened the app
        assert AuditEntry.objects.filter(action="mapping.change").count() == 1


def test_names_that_were_not_on_the_page_keep_their_roles(as_role, world, arrived):
    with workspace_scope(world.acme):
        EventName.objects.filter(name="Order Completed").update(is_order=True)
    data = {"shown": [arrived["App Opened"].pk], "core": [arrived["App Opened"].pk, arrived["Order Completed"].pk]}
    as_role("admin").post("/w/acme/events/mapping/change/?q=App", data)
    with workspace_scope(world.acme):
        assert roles_of(EventName.objects.get(name="Order Completed")) == ["order"]
        assert roles_of(EventName.objects.get(name="App Opened")) == ["core"]


def test_a_name_can_be_given_a_role_before_it_arrives(as_role, world, arrived):
    as_role("admin").post("/w/acme/events/mapping/change/", {"new_name": "Membership Purchased", "new_role": ["pay"]})
    with workspace_scope(world.acme):
        assert roles_of(EventName.objects.get(name="Membership Purchased")) == ["pay"]


def test_a_preset_replaces_every_role(as_role, world, arrived):
    with workspace_scope(world.acme):
        EventName.objects.filter(name="App Opened").update(is_core=True)
    as_role("admin").post("/w/acme/events/mapping/preset/", {"industry": "ecommerce"})
    with workspace_scope(world.acme):
        assert roles_of(EventName.objects.get(name="App Opened")) == []
        assert roles_of(EventName.objects.get(name="Order Completed")) == ["core", "habit", "order"]
        assert [name.name for name in list_event_names("order comp")] == ["Order Completed"]


def test_only_admins_change_what_events_mean(as_role, world):
    assert as_role("operator").post("/w/acme/events/mapping/preset/", {"industry": "game"}).status_code == 403
    assert as_role("stranger").get("/w/acme/events/mapping/").status_code == 404


def test_the_mapping_by_api(client, world, arrived):
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    body = io.BytesIO(
        b'{"event_names": [{"name": "App Opened", "roles": ["core"]}, {"name": "New", "roles": ["pay"]}]}'
    ).read()
    answer = client.put("/api/v1/event-names", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    rows = {row["name"]: row for row in client.get("/api/v1/event-names", headers=headers).json()}
    assert rows["App Opened"]["roles"] == ["core"] and rows["App Opened"]["events"] == 2
    assert rows["New"] == {"name": "New", "roles": ["pay"], "events": 0, "last_at": None}
    bad = client.put(
        "/api/v1/event-names",
        b'{"event_names": [{"name": "x", "roles": ["boss"]}]}',
        content_type="application/json",
        headers=headers,
    )
    assert bad.status_code == 400 and bad.json()["error"]["code"] == "invalid"
