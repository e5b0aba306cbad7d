"""App push through Firebase Cloud Messaging, HTTP v1.

Request and answers: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
Error codes: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
Access token: https://developers.google.com/identity/protocols/oauth2/service-account (signed JWT for a bearer token)
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import jwt
from django.utils.translation import gettext_lazy as _

from . import LONGEST_WAIT_S, Channel, ChannelError, Field, Message, Result, json_object, one_line
from ._wire import HttpSession, UnansweredError, refusal

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 3600
EARLY_SECONDS = 60
LATER_CODES = frozenset({"UNAVAILABLE", "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL"})
CHANNEL_CODES = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
QUOTA_WAIT_SECONDS = 60  # the least that Google asks for when it names no time


class PushChannel(Channel):
    key = "push"
    label = _("App push")
    description = _("Sends notifications to your app through Firebase Cloud Messaging.")
    address_attribute = "push_token"
    fields = (
        Field("service_account", _("Service account (JSON)"), "secret", required=True),
        Field("base_url", _("API address"), "url", default="https://fcm.googleapis.com", server=True),
        Field("timeout", _("Seconds to wait for the server"), "number", default=10, most=LONGEST_WAIT_S),
    )
    content_fields = (
        Field("title", _("Title"), required=True),
        Field("body_text", _("Text"), "longtext", required=True),
        Field("url", _("Link"), "url", help=_("Opened when the notification is tapped.")),
    )
    examples = (
        Message(
            UUID("00000000-0000-4000-8000-000000000003"),
            "example-device-token",
            title="您关注的商品降价了",
            body_text="小明，购物车里的商品便宜了 20 元。",
            url="https://example.com/cart",
        ),
    )

    def send(self, messages: Iterable[Message], config: Mapping[str, Any]) -> Iterator[Result]:
        settings = self.settings(config)
        account = _account(settings["service_account"])
        url = f"{settings['base_url'].rstrip('/')}/v1/projects/{account['project_id']}/messages:send"
        with HttpSession(settings["timeout"]) as tokens, HttpSession(settings["timeout"]) as session:
            token, good_until = "", 0.0
            for message in messages:
                try:
                    body = json.dumps({"message": _payload(message)}, ensure_ascii=False).encode()
                except ValueError as problem:
                    yield Result(message.delivery_id, "failed", code="invalid_content", detail=one_line(problem))
                    continue
                if time.monotonic() >= good_until:
                    token, seconds = _access_token(tokens, account)
                    good_until = time.monotonic() + seconds - EARLY_SECONDS
                headers = {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"}
                try:
                    response = session.post(url, body, headers)
                except UnansweredError as problem:
                    yield Result(message.delivery_id, "unknown", code="no_answer", detail=one_line(problem))
                    continue
                yield _result(message, response)


def _account(text: str) -> dict[str, Any]:
    """Return the service account; raises ChannelError when a part is missing."""
    account = json_object(text)
    missing = [name for name in ("client_email", "private_key", "token_uri", "project_id") if not account.get(name)]
    if missing:
        raise ChannelError(True, "service_account", f"lacks {', '.join(missing)}")
    return account


def _access_token(session: HttpSession, account: Mapping[str, Any]) -> tuple[str, int]:
    """Return (access token, seconds it lives) for a signed assertion; raises ChannelError."""
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    key_id = {"kid": account["private_key_id"]} if account.get("private_key_id") else None
    try:
        assertion = jwt.encode(claims, account["private_key"], algorithm="RS256", headers=key_id)
    except (ValueError, TypeError, jwt.PyJWTError) as problem:
        raise ChannelError(True, "service_account", "the private key cannot be read") from problem
    form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
    try:
        response = session.post(account["token_uri"], form, {"content-type": "application/x-www-form-urlencoded"})
    except UnansweredError as problem:
        raise ChannelError(False, "no_token", str(problem)) from problem
    answer = json_object(response.content)
    if response.is_success and answer.get("access_token"):
        lives = answer.get("expires_in")
        return str(answer["access_token"]), lives if isinstance(lives, int) else ASSERTION_SECONDS
    detail = answer.get("error_description") or f"status {response.status_code}"
    permanent = response.is_client_error and response.status_code != 429
    raise ChannelError(permanent, str(answer.get("error", "no_token")), str(detail))


def _payload(message: Message) -> dict[str, Any]:
    """Return the message for the API; `data` may hold text only. The app reports opens by the delivery id in it."""
    data = {name: str(value) for name, value in message.params.items()} | {"delivery_id": str(message.delivery_id)}
    payload: dict[str, Any] = {
        "token": message.address,
        "notification": {"title": message.title, "body": message.body_text},
        "data": data,
    }
    if message.url:
        data["url"] = message.url
        if message.url.startswith("https://"):  # the only scheme that web push takes
            payload["webpush"] = {"fcm_options": {"link": message.url}}
    return payload


def _result(message: Message, response: httpx.Response) -> Result:
    answer = json_object(response.content)
    if response.is_success and answer.get("name"):
        return Result(message.delivery_id, "sent", str(answer["name"]))
    error: Any = answer.get("error")
    error = error if isinstance(error, dict) else {}
    details = [part for part in error.get("details", []) if isinstance(part, dict)]
    codes = [str(part["errorCode"]) for part in details if part.get("errorCode")]
    code = codes[0] if codes else str(error.get("status", ""))
    detail = one_line(error.get("message", "") or response.text)
    if code in CHANNEL_CODES:
        raise ChannelError(True, code, detail)
    wait = QUOTA_WAIT_SECONDS if response.status_code == 429 else None
    bad = code == "UNREGISTERED" or (code == "INVALID_ARGUMENT" and _blames_token(detail, details))
    return refusal(message, response, code, detail, later=code in LATER_CODES, wait=wait, address_is_bad=bad)


def _blames_token(detail: str, details: list[dict[str, Any]]) -> bool:
    """Return whether a bad request is the device token's fault: a bad text must not strike off good devices."""
    fields = {violation.get("field") for part in details for violation in part.get("fieldViolations", [])}
    return "message.token" in fields or "registration token" in detail.lower()
