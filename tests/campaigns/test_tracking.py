"""Links in messages: where they lead, what they note, and what nobody can do with them."""

from __future__ import annotations

import base64
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from campaigns.editing import check_content
from campaigns.letters import fill_link
from campaigns.links import make_token, read_token
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery, Feedback
from users.models import Consent, EndUser
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .sender import CONTENT, connect, deliveries, make_campaign, make_people, send

PURPOSES = {"open": "/t/o/{}.gif", "click": "/t/c/{}", "unsubscribe": "/t/u/{}"}


@pytest.fixture
def sent(acme: Workspace, inbox: LocalInbox) -> Delivery:
    """One mail that has arrived."""
    connect(acme, inbox)
    make_people(acme, 1)
    campaign = make_campaign(acme)
    send(acme, campaign)
    return deliveries(acme, campaign)[0]


def path_of(purpose: Any, delivery: Delivery, number: int = 0) -> str:
    return PURPOSES[purpose].format(make_token(purpose, delivery.workspace_id, delivery.delivery_id, number))


def again(delivery: Delivery, workspace: Workspace) -> Delivery:
    with workspace_scope(workspace):
        return Delivery.objects.get(delivery_id=delivery.delivery_id)


def feedback(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace_scope(workspace):
        return sorted(Feedback.objects.values_list("kind", "reference"))


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_opens_one_purpose_only() -> None:
    workspace, delivery = uuid.uuid4(), uuid.uuid4()
    for purpose in PURPOSES:
        token = make_token(purpose, workspace, delivery, 3)  # type: ignore[arg-type]
        for other in PURPOSES:
            ticket = read_token(other, token)  # type: ignore[arg-type]
            assert (ticket is not None) == (other == purpose)
        ticket = read_token(purpose, token)  # type: ignore[arg-type]
        assert ticket is not None and (ticket.workspace_id, ticket.delivery_id, ticket.number) == (
            workspace,
            delivery,
            3,
        )


def test_no_bit_of_a_token_can_be_turned() -> None:
    token = make_token("click", uuid.uuid4(), uuid.uuid4(), 1)
    raw = bytearray(base64.urlsafe_b64decode(token + "=="))
    for bit in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[bit // 8] ^= 1 << bit % 8
        assert read_token("click", base64.urlsafe_b64encode(turned).decode().rstrip("=")) is None
    for spelling in (token + "=", token + "==", token[:-1], token + "A", token.swapcase()):
        assert read_token("click", spelling) is None
    # The last digit of base64 has bits that mean nothing: another spelling of the same bytes is not accepted.
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = [digit for digit in digits if read_token("click", token[:-1] + digit)]
    assert accepted == [token[-1]]


@given(st.text(max_size=100))
def test_reading_a_token_never_raises(text: str) -> None:
    assert read_token("open", text) is None


def test_another_key_makes_other_tokens(settings: Any) -> None:
    token = make_token("open", uuid.uuid4(), uuid.uuid4())
    settings.LINK_KEY = "another"
    assert read_token("open", token) is None


# --- open and click -------------------------------------------------------------------------------------------------


def test_an_open_is_noted_once_and_the_first_time_stays(sent: Delivery, acme: Workspace, client: Client) -> None:
    answer = client.get(path_of("open", sent))
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "image/gif", "no-store")
    first = again(sent, acme).opened_at
    client.get(path_of("open", sent))
    assert first is not None and again(sent, acme).opened_at == first
    assert feedback(acme) == [("open", "")]


def test_a_forged_picture_looks_like_a_true_one_and_notes_nothing(
    sent: Delivery, acme: Workspace, client: Client
) -> None:
    true, forged = client.get(path_of("open", sent)), client.get("/t/o/" + "A" * 67 + ".gif")
    assert (forged.status_code, forged.content, forged.headers) == (true.status_code, true.content, forged.headers)
    assert feedback(acme) == [("open", "")]


def test_a_click_leads_to_the_stored_target_and_nowhere_else(sent: Delivery, acme: Workspace, client: Client) -> None:
    answer = client.get(path_of("click", sent) + "?url=https://evil.example&u=//evil.example")
    assert (answer.status_code, answer["Location"]) == (302, "https://shop.example/sale?from=mail")
    assert again(sent, acme).clicked_at and feedback(acme) == [("click", "0")]
    for path in (path_of("click", sent, 7), "/t/c/evil.com", "/t/c//evil.com", "/t/c?u=https://evil.example"):
        refused = client.get(path)
        assert refused.status_code == 404 and "Location" not in refused, path
    unknown = Delivery(workspace_id=acme.pk, delivery_id=uuid.uuid4())
    assert client.get(path_of("click", unknown)).status_code == 404


def test_looking_without_opening_notes_nothing(sent: Delivery, acme: Workspace, client: Client) -> None:
    assert client.head(path_of("click", sent)).status_code == 302
    assert client.head(path_of("open", sent)).status_code == 200
    assert client.post(path_of("click", sent)).status_code == 405
    assert feedback(acme) == []


def test_a_token_of_one_workspace_finds_nothing_in_another(sent: Delivery, world: Any, client: Client) -> None:
    crossed = Delivery(workspace_id=world.other.pk, delivery_id=sent.delivery_id)
    assert client.get(path_of("click", crossed)).status_code == 404
    assert client.post(path_of("unsubscribe", crossed)).status_code == 200
    with workspace_scope(world.acme):
        assert not Consent.objects.exists()


def test_merge_fields_in_a_link_are_filled_for_the_person(acme: Workspace, inbox: LocalInbox, client: Client) -> None:
    connect(acme, inbox)
    make_people(acme, 1, name="小 明&x=1")
    body = '<a href="https://shop.example/c?who={{ user.name | url_encode }}&amp;id={{ user.external_id }}">券</a>'
    campaign = make_campaign(acme, content={"subject": "券", "body_html": body})
    send(acme, campaign)
    answer = client.get(path_of("click", deliveries(acme, campaign)[0]))
    assert answer["Location"] == "https://shop.example/c?who=%E5%B0%8F+%E6%98%8E%26x%3D1&id=p0"
    with workspace_scope(acme):
        EndUser.objects.update(external_id="{{ 1 }}")
    target = client.get(path_of("click", deliveries(acme, campaign)[0]))["Location"]
    assert target.endswith("&id=%7B%7B%201%20%7D%7D"), "what a person typed is never parsed"


@pytest.mark.parametrize(
    "value",
    ["@evil.example/", ".evil.example", "\\@evil.example", "//evil.example", ":80@evil.example", "\r\nX: 1", " x"],
)
def test_what_a_person_typed_cannot_move_a_link_to_another_host(value: str) -> None:
    target = fill_link("https://shop.example{{ user.name }}", {"user": {"name": value}})
    assert re.match(r"https://shop\.example(/.*)?$", target), target


@pytest.mark.parametrize(
    "href",
    [
        "https://{{ user.site }}/",
        "https://{{ user.site }}.example/x",
        "http://a{{ user.site }}/",
        "https://{% if user.a %}a{% endif %}/",
    ],
)
def test_a_host_from_a_merge_field_is_refused_at_the_desk(scope: Workspace, href: str) -> None:
    with pytest.raises(DomainError) as refused:
        check_content("email", {"subject": "x", "body_html": f"<a href='{href}'>x</a>"})
    assert refused.value.path == "content.body_html"


def test_a_link_that_would_run_code_leads_nowhere(acme: Workspace, inbox: LocalInbox) -> None:
    connect(acme, inbox)
    make_people(acme, 1)
    campaign = make_campaign(acme, content={"subject": "x", "body_html": "<a href='javascript:alert(1)'>x</a>"})
    send(acme, campaign)
    (mail,) = inbox.messages()
    assert "javascript" not in mail["html"] and 'href="#"' in mail["html"]


# --- unsubscribe ----------------------------------------------------------------------------------------------------


def test_looking_at_the_page_changes_nothing(sent: Delivery, acme: Workspace, client: Client) -> None:
    page = client.get(path_of("unsubscribe", sent))
    assert page.status_code == 200 and "Acme 商城" in page.content.decode()
    assert client.head(path_of("unsubscribe", sent)).status_code == 200
    assert not page.cookies
    with workspace_scope(acme):
        assert not Consent.objects.exists()


def test_one_click_needs_no_cookie_no_token_and_no_second_step(sent: Delivery, acme: Workspace) -> None:
    mail_provider = Client(enforce_csrf_checks=True)
    body = "List-Unsubscribe=One-Click"
    for _twice in range(2):
        answer = mail_provider.post(
            path_of("unsubscribe", sent), body, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 200 and not answer.cookies
    with workspace_scope(acme):
        (word,) = Consent.objects.all()
        assert (word.opted_in, word.channel, word.end_user_id) == (False, "email", sent.end_user_id)
    assert again(sent, acme).unsubscribed_at and feedback(acme) == [("unsubscribe", "")]


def test_the_unsubscribed_are_left_out_of_the_next_campaign(
    sent: Delivery, acme: Workspace, inbox: LocalInbox, client: Client
) -> None:
    client.post(path_of("unsubscribe", sent))
    inbox.clear()
    campaign = make_campaign(acme)
    send(acme, campaign)
    assert inbox.messages() == [] and deliveries(acme, campaign)[0].reason == "opted_out"


def test_the_page_speaks_the_readers_language(sent: Delivery, client: Client) -> None:
    chinese = client.get(path_of("unsubscribe", sent), headers={"Accept-Language": "zh-CN"})
    english = client.get(path_of("unsubscribe", sent), headers={"Accept-Language": "en"})
    assert 'lang="zh-hans"' in chinese.content.decode() and 'lang="en"' in english.content.decode()
    assert "Unsubscribe?" in english.content.decode()


def test_forged_links_get_a_page_that_says_so(sent: Delivery, client: Client) -> None:
    for purpose in ("click", "unsubscribe"):
        other = path_of("open" if purpose == "click" else "click", sent).split("/")[-1].removesuffix(".gif")
        for method in (client.get, client.post) if purpose == "unsubscribe" else (client.get,):
            assert method(PURPOSES[purpose].format(other)).status_code == 404


def test_a_forgotten_way_out_is_added(acme: Workspace, inbox: LocalInbox) -> None:
    connect(acme, inbox)
    make_people(acme, 1)
    content = {"subject": "x", "body_html": "<html><body><p>x</p></body></html>", "body_text": "x"}
    campaign: Campaign = make_campaign(acme, content=content)
    send(acme, campaign)
    (mail,) = inbox.messages()
    way_out = path_of("unsubscribe", deliveries(acme, campaign)[0])
    assert way_out in mail["html"] and way_out in mail["text"]
    assert mail["html"].index(way_out) < mail["html"].index("</body>")
    assert CONTENT["email"]["body_html"].count("unsubscribe_url") == 1
