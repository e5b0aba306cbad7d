"""Stand-ins for the HTTP providers, for development and tests: they check what the real ones document and keep
every message in a folder. The checks are written from the documents, not from the channels, so that a mistake in a
channel cannot agree with itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

Store = Callable[[str, dict[str, Any]], None]
MOBILE = re.compile(r"(?:\+86|0086|86)?1[3-9]\d{9}")
CLOCK_SECONDS = 15 * 60
FCM_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@dataclass
class Fault:
    """One scripted misbehaviour of a local server.

    at: the step: connect, mail, rcpt, data, after_data for mail; send or token for HTTP. `after_data` and `send` with
    cut=True keep the message and hang up without an answer. reply: an SMTP reply; status, body, headers: an HTTP
    answer instead of the right one. delay: seconds before the answer. address: only for this recipient. after: how
    many pass first. times: how often.
    """

    at: str
    reply: str = ""
    status: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    address: str = ""
    after: int = 0
    times: int = 1


class Faults:
    """The faults that wait to happen, by channel."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, channel: str, fault: Fault) -> None:
        with self._lock:
            self._waiting.setdefault(channel, []).append(fault)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, channel: str, at: str, address: str = "") -> Fault | None:
        """Return the next fault for this step, counting it down, or None."""
        with self._lock:
            waiting = self._waiting.get(channel, [])
            for fault in waiting:
                if fault.at == at and fault.address in ("", address):
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    if fault.times <= 0:
                        waiting.remove(fault)
                    return fault
        return None


@dataclass(frozen=True)
class Answer:
    """What a provider answers: a status and a JSON object. `address` is for faults that wait for one recipient."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Provider:
    """One provider behind one port of 127.0.0.1."""

    key = ""

    def __init__(self, port: int, store: Store, faults: Faults) -> None:
        self.store, self.faults = store, faults
        provider = self

        class Handler(_Handler):
            owner = provider

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to one POST; header names are in lower case."""
        raise TypeError(f"{type(self).__name__} has no answer")

    def step(self, path: str, body: bytes) -> tuple[str, str]:
        """Return (step, address) of a request, for the faults."""
        return "send", ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.owner.faults.take(self.owner.key, *self.owner.step(self.path, body))
        if fault is not None and fault.status:
            self._write(Answer(fault.status, fault.body, fault.headers))
            return
        answer = self.owner.answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        if fault is not None:  # the message is kept, and the sender cannot know
            time.sleep(fault.delay)
            self.close_connection = fault.cut
        if not self.close_connection:
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        raw = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body or {}).encode()
        try:
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True  # the client did not wait; some tests are about that

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: request lines hold telephone numbers."""


class SmsProvider(Provider):
    """阿里云短信服务 SendSms with signature ACS3-HMAC-SHA256.

    https://help.aliyun.com/document_detail/2593177.html and https://help.aliyun.com/document_detail/55284.html
    `templates` maps template codes to their text with ${name} places, to show a message as it would arrive.
    """

    key = "sms"

    def __init__(
        self, port: int, store: Store, faults: Faults, key_id: str, secret: str, templates: Mapping[str, str]
    ) -> None:
        super().__init__(port, store, faults)
        self._key_id, self._secret, self._templates = key_id, secret, templates
        self._nonces: set[str] = set()

    def step(self, path: str, body: bytes) -> tuple[str, str]:
        return "send", parse_qs(urlsplit(path).query).get("PhoneNumbers", [""])[0]

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        status, code, text = self._signature_problem(path, headers, body)
        if not code:
            status, (code, text) = 200, self._accept(dict(parse_qsl(urlsplit(path).query, keep_blank_values=True)))
        answer = {"Code": code, "Message": text, "RequestId": str(uuid.uuid4()).upper()}
        if code == "OK":
            answer["BizId"] = f"{time.time_ns()}^0"
        return Answer(status, answer)

    def _signature_problem(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, str]:
        found = re.fullmatch(
            r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})",
            headers.get("authorization", ""),
        )
        if not found:
            return 400, "IncompleteSignature", "The Authorization header does not have the documented form."
        key_id, names, signature = found.groups()
        if key_id != self._key_id:
            return 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."
        must = {"host"} | {name for name in headers if name.startswith("x-acs-")}
        if names.split(";") != sorted(must) or headers.get("x-acs-content-sha256") != hashlib.sha256(body).hexdigest():
            return 400, "IncompleteSignature", "Not every public header is signed, or the body hash is wrong."
        parameters = sorted(parse_qsl(urlsplit(path).query, keep_blank_values=True))
        query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters)
        canonical = f"POST\n{urlsplit(path).path}\n{query}\n"
        canonical += "".join(f"{name}:{headers[name].strip()}\n" for name in names.split(";"))
        canonical += f"\n{names}\n{headers['x-acs-content-sha256']}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        expected = hmac.digest(self._secret.encode(), f"ACS3-HMAC-SHA256\n{digest}".encode(), "sha256").hex()
        if not hmac.compare_digest(expected, signature):
            return 400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation."
        return self._replay_problem(headers)

    def _replay_problem(self, headers: Mapping[str, str]) -> tuple[int, str, str]:
        sent_at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - sent_at).total_seconds()) > CLOCK_SECONDS:
            return 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."
        nonce = headers["x-acs-signature-nonce"]
        if nonce in self._nonces:
            return 400, "SignatureNonceUsed", "Specified signature nonce was used already."
        self._nonces.add(nonce)
        if (headers.get("x-acs-action"), headers.get("x-acs-version")) != ("SendSms", "2017-05-25"):
            return 404, "InvalidAction.NotFound", "Specified api is not found."
        return 200, "", ""

    def _accept(self, given: Mapping[str, str]) -> tuple[str, str]:
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            if not given.get(name):
                return "isv.INVALID_PARAMETERS", f"{name} is missing"
        if not MOBILE.fullmatch(given["PhoneNumbers"]):
            return "isv.MOBILE_NUMBER_ILLEGAL", f"{given['PhoneNumbers']} invalid mobile number"
        try:
            params = json.loads(given.get("TemplateParam") or "{}")
        except ValueError:
            params = None
        if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
            return "isv.INVALID_JSON_PARAM", "TemplateParam must be a JSON object of texts"
        template = self._templates.get(given["TemplateCode"], "")
        places = set(re.findall(r"\$\{(\w+)\}", template))
        if places - set(params):
            return "isv.TEMPLATE_MISSING_PARAMETERS", f"lacks {', '.join(sorted(places - set(params)))}"
        text = re.sub(r"\$\{(\w+)\}", lambda match: params[match.group(1)], template)
        shown = text or f"{given['TemplateCode']} {json.dumps(params, ensure_ascii=False)}"
        self.store("sms", {
            "address": given["PhoneNumbers"],
            "text": f"【{given['SignName']}】{shown}",
            "template_code": given["TemplateCode"],
            "params": params,
            "delivery_id": given.get("OutId", ""),
        })  # fmt: skip
        return "OK", "OK"


class PushProvider(Provider):
    """Google's token endpoint at /token and FCM HTTP v1, for one service account.

    Device tokens that begin with "gone-" are UNREGISTERED, those with a space in them are not tokens at all.
    """

    key = "push"

    def __init__(
        self, port: int, store: Store, faults: Faults, public_key: str, client_email: str, project_id: str
    ) -> None:
        super().__init__(port, store, faults)
        self._public_key, self._client_email, self._project_id = public_key, client_email, project_id
        self._tokens: dict[str, float] = {}
        self.token_seconds = 3599
        self.tokens_given = 0

    def step(self, path: str, body: bytes) -> tuple[str, str]:
        if path == "/token":
            return "token", ""
        try:
            return "send", json.loads(body)["message"]["token"]
        except (ValueError, KeyError, TypeError):
            return "send", ""

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path == "/token":
            return self._token(body)
        if path != f"/v1/projects/{self._project_id}/messages:send":
            return _fcm_error(404, "NOT_FOUND", "Requested entity was not found.")
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(bearer, 0) < time.monotonic():
            return _fcm_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        return self._send(body)

    def _token(self, body: bytes) -> Answer:
        import jwt

        form = dict(parse_qsl(body.decode()))
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return Answer(400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type."})
        try:
            claims = jwt.decode(
                form.get("assertion", ""),
                self._public_key,
                algorithms=["RS256"],
                audience=f"{self.base_url}/token",
                issuer=self._client_email,
                options={"require": ["exp", "iat", "aud", "iss"]},
                leeway=10,
            )
        except jwt.InvalidSignatureError:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        except jwt.PyJWTError as problem:
            return Answer(400, {"error": "invalid_grant", "error_description": f"Invalid JWT: {problem}"})
        if claims["exp"] - claims["iat"] > 3600:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT: lives over an hour."})
        if claims.get("scope") != FCM_SCOPE:
            return Answer(400, {"error": "invalid_scope", "error_description": "Invalid OAuth scope."})
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + self.token_seconds
        self.tokens_given += 1
        return Answer(200, {"access_token": token, "expires_in": self.token_seconds, "token_type": "Bearer"})

    def _send(self, body: bytes) -> Answer:
        try:
            message = json.loads(body)["message"]
            token, notification, data = message["token"], message.get("notification", {}), message.get("data", {})
        except (ValueError, KeyError, TypeError):
            return _fcm_error(400, "INVALID_ARGUMENT", "Recipient of the message is not set.", "INVALID_ARGUMENT")
        if not all(isinstance(value, str) for value in data.values()):
            return _fcm_error(400, "INVALID_ARGUMENT", "Invalid value at 'message.data[0].value' (TYPE_STRING)")
        if token.startswith("gone-"):
            return _fcm_error(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED")
        if " " in token:
            text = "The registration token is not a valid FCM registration token"
            return _fcm_error(400, "INVALID_ARGUMENT", text, "INVALID_ARGUMENT")
        self.store("push", {
            "address": token,
            "title": notification.get("title", ""),
            "text": notification.get("body", ""),
            "url": data.get("url", ""),
            "params": data,
            "delivery_id": data.get("delivery_id", ""),
        })  # fmt: skip
        return Answer(200, {"name": f"projects/{self._project_id}/messages/{uuid.uuid4().hex}"})


def _fcm_error(status: int, name: str, text: str, code: str = "") -> Answer:
    error: dict[str, Any] = {"code": status, "message": text, "status": name}
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        error["details"] = [{"@type": kind, "errorCode": code}]
    return Answer(status, {"error": error})
