"""A client that hangs up in the middle of what it sends has sent nothing: half of a form is not taken for a form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict, UnreadablePostError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ops_platform.pages import Pages

FORM = b"name=acme&delete=no&note=keep"


def ask(told: list[dict[str, Any]], look: Callable[[WSGIRequest], None], kind: str) -> None:
    """Have `look` see the request of which the server has told so much."""

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        look(WSGIRequest(environ))
        start_response("200 OK", [])
        yield b""

    headers = [(b"content-length", b"%d" % len(FORM)), (b"content-type", kind.encode())]
    scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "http_version": "1.1", "headers": headers,
    }  # fmt: skip

    async def run() -> None:
        async def receive() -> dict[str, Any]:
            return told.pop(0)

        async def send(_message: Any) -> None:
            pass

        await Pages(application, workers=1)(scope, receive, send)

    asyncio.run(run())


def half() -> list[dict[str, Any]]:
    return [{"type": "http.request", "body": FORM[:20], "more_body": True}, {"type": "http.disconnect"}]


def test_a_whole_form_is_read() -> None:
    found: list[QueryDict] = []
    whole = [{"type": "http.request", "body": FORM, "more_body": False}]
    ask(whole, lambda request: found.append(request.POST), "application/x-www-form-urlencoded")
    assert found[0]["note"] == "keep"


def test_half_of_a_form_is_no_form() -> None:
    with pytest.raises(UnreadablePostError):
        ask(half(), lambda request: print(request.POST), "application/x-www-form-urlencoded")


def test_the_api_says_so_instead_of_failing() -> None:
    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def post(self, request: Request) -> Response:
            return Response(request.data)

    found: list[Any] = []
    ask(half(), lambda request: found.append(View.as_view()(request)), "application/json")
    assert (found[0].status_code, found[0].data["error"]["code"]) == (400, "incomplete")
