"""What a stranger says about the form of a request: with it, everybody gets the answer that they get without."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings
from django.core.signals import request_started
from django.db import close_old_connections

from ops_platform.wsgi import application

CHARSETS = (
    "hex",
    "zlib",
    "rot13",
    "base64",
    "undefined",
    "punycode",
    "utf-7",
    "unicode_escape",
    "utf-16",
    "utf-8",
    "klingon",
)
TYPES = (
    *(f"text/plain; charset={name}" for name in CHARSETS),
    "text/plain; charset*=utf-8''%00",
    "text/plain; charset*=utf-8''hex",
    "text/plain; x*=undefined''%aa",
    "text/plain; x*=%00''%aa",
)
ADDRESSES = ("/api/v1/users?a=1", "/accounts/login/?next=+2AA-", "/w/acme/users/?q=+2AA-", r"/w/acme/users/?q=\ud800")


@pytest.fixture(autouse=True)
def in_the_transaction_of_the_test() -> Iterator[None]:
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


def status_of(address: str, cookie: str = "", **said: Any) -> str:
    """How Django answers where it is served, which the test client's own requests do not show."""
    path, _, query = address.partition("?")
    environ: dict[str, Any] = {
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "testserver",
        "HTTP_COOKIE": cookie,
    }
    setup_testing_defaults(environ)
    told: list[str] = []
    answer = application(environ | said, lambda status, *_headers: told.append(status))
    b"".join(answer)
    return told[0]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", TYPES)
def test_no_charset_of_a_stranger_changes_an_answer(as_role: Any, kind: str, address: str) -> None:
    cookie = as_role("analyst").cookies.output(attrs=[], header="", sep=";").strip()
    plain = status_of(address, cookie)
    assert plain[:3] in ("200", "302", "401")
    assert status_of(address, cookie, CONTENT_TYPE=kind) == plain


@pytest.mark.parametrize("kind", TYPES)
def test_nor_does_it_change_what_becomes_of_a_form(world: Any, kind: str) -> None:
    place = f"10.0.0.{TYPES.index(kind)}"  # failed logins are counted by address
    kind = kind.replace("text/plain", "application/x-www-form-urlencoded")
    token = "a" * 32
    body = f"csrfmiddlewaretoken={token}&login=%2BAA-{place}&password=x".encode()

    def sent(kind: str) -> str:
        form = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
        form["REMOTE_ADDR"] = place
        return status_of("/accounts/login/", f"{settings.CSRF_COOKIE_NAME}={token}", CONTENT_TYPE=kind, **form)

    assert sent("application/x-www-form-urlencoded")[:3] == "200"  # the form was read, and its password is wrong
    # What cannot be read as a type at all is no form, and so has no CSRF token.
    assert sent(kind)[:3] == ("403" if kind.endswith(("''%00", "''%aa")) else "200")
