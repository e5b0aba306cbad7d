"""Text messages through 阿里云短信服务, API SendSms of version 2017-05-25.

SendSms: https://help.aliyun.com/document_detail/55284.html (parameters, "no idempotency": a timeout stays `unknown`).
Signature ACS3-HMAC-SHA256: https://help.aliyun.com/document_detail/2593177.html, whose worked example is a test.

The provider puts the signature 【…】 before the text and, for promotional templates, the words for unsubscribing
behind it; both belong to the template it has approved, so nothing is added here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
from django.utils.translation import gettext_lazy as _

from . import LONGEST_WAIT_S, Channel, ChannelError, Field, Message, Result, json_object, one_line
from ._wire import HttpSession, UnansweredError, refusal

ALGORITHM = "ACS3-HMAC-SHA256"

# Codes that every message of the batch would meet: keys, rights, balance, an unapproved signature or template.
CHANNEL_CODES = frozenset({
    "SignatureDoesNotMatch", "IncompleteSignature", "SignatureNonceUsed", "InvalidTimeStamp.Expired",
    "InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive", "Forbidden.RAM", "isp.RAM_PERMISSION_DENY",
    "isv.RAM_PERMISSION_DENY", "isv.ACCOUNT_NOT_EXISTS", "isv.ACCOUNT_ABNORMAL", "isv.OUT_OF_SERVICE",
    "isv.AMOUNT_NOT_ENOUGH", "isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE", "isv.DENY_IP_RANGE",
    "isv.SMS_SIGNATURE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL", "isv.SMS_TEMPLATE_ILLEGAL",
})  # fmt: skip
BAD_NUMBER_CODES = frozenset({"isv.MOBILE_NUMBER_ILLEGAL"})
LATER_CODES = frozenset(
    {"isv.BUSINESS_LIMIT_CONTROL", "isv.DAY_LIMIT_CONTROL", "isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR"}
)
# The provider names the window that is full in its sentence, for example 触发小时级流控Permits:5.
WINDOWS = (("分钟级", 60), ("小时级", 3600), ("天级", 86400))


class SmsChannel(Channel):
    key = "sms"
    label = _("SMS")
    description = _("Sends text messages with an approved template of Alibaba Cloud SMS.")
    address_attribute = "phone"
    fields = (
        Field("access_key_id", "AccessKey ID", required=True),
        Field("access_key_secret", "AccessKey Secret", "secret", required=True),
        Field("sign_name", _("Signature"), required=True, help=_("The approved name shown in 【】.")),
        Field("base_url", _("API address"), "url", default="https://dysmsapi.aliyuncs.com", server=True),
        Field("timeout", _("Seconds to wait for the server"), "number", default=10, most=LONGEST_WAIT_S),
    )
    content_fields = (
        Field("template_code", _("Template code"), required=True, help=_("For example SMS_123456789")),
        Field("params", _("Template variables"), "params", help=_("Each variable of the template and its value.")),
    )
    examples = (
        Message(
            UUID("00000000-0000-4000-8000-000000000002"),
            "13800138000",
            template_code="SMS_200000001",
            params={"name": "小明", "amount": "20"},
        ),
    )

    def send(self, messages: Iterable[Message], config: Mapping[str, Any]) -> Iterator[Result]:
        settings = self.settings(config)
        with HttpSession(settings["timeout"]) as session:
            for message in messages:
                try:
                    query = canonical_query(_parameters(message, settings["sign_name"]))
                except ValueError as problem:
                    yield Result(message.delivery_id, "failed", code="invalid_content", detail=one_line(problem))
                    continue
                try:
                    response = _call(session, query, settings)
                except UnansweredError as problem:
                    yield Result(message.delivery_id, "unknown", code="no_answer", detail=one_line(problem))
                    continue
                yield _result(message, response)


def _parameters(message: Message, sign_name: str) -> dict[str, str]:
    # Values must be text: the provider refuses numbers in TemplateParam.
    params = {name: str(value) for name, value in message.params.items()}
    return {
        "PhoneNumbers": message.address,
        "SignName": sign_name,
        "TemplateCode": message.template_code,
        "TemplateParam": json.dumps(params, ensure_ascii=False),
        "OutId": str(message.delivery_id),
    }


def _call(session: HttpSession, query: str, settings: Mapping[str, Any]) -> httpx.Response:
    base = settings["base_url"].rstrip("/")
    headers = {
        "host": urlsplit(base).netloc,
        "x-acs-action": "SendSms",
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-version": "2017-05-25",
    }
    headers["authorization"] = authorization(query, headers, settings["access_key_id"], settings["access_key_secret"])
    return session.post(f"{base}/?{query}", headers=headers | {"accept": "application/json"})


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Return the parameters sorted and percent-encoded by RFC 3986; raises ValueError for text that is not Unicode."""
    return "&".join(f"{quote(name, safe='~')}={quote(parameters[name], safe='~')}" for name in sorted(parameters))


def authorization(query: str, headers: Mapping[str, str], access_key_id: str, access_key_secret: str) -> str:
    """Return the Authorization header of a POST to "/"; signs `host` and every x-acs header, names in lower case."""
    signed = sorted(name for name in headers if name == "host" or name.startswith("x-acs-"))
    names = ";".join(signed)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    request = "\n".join(["POST", "/", query, lines, names, headers["x-acs-content-sha256"]])
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={access_key_id},SignedHeaders={names},Signature={signature}"


def _result(message: Message, response: httpx.Response) -> Result:
    """Read the answer. A refusal comes with status 200 and a code, trouble at the gateway with 4xx or 5xx."""
    answer = json_object(response.content)
    code = str(answer.get("Code", ""))
    detail = one_line(answer.get("Message", "") or response.text)
    if code == "OK":
        return Result(message.delivery_id, "sent", str(answer.get("BizId", "")), code, detail)
    if code in CHANNEL_CODES:
        raise ChannelError(True, code, detail)
    later = code in LATER_CODES or code.startswith("Throttling")
    wait = next((seconds for word, seconds in WINDOWS if word in detail), None)
    return refusal(message, response, code, detail, later=later, wait=wait, address_is_bad=code in BAD_NUMBER_CODES)
