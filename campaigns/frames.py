"""Foreign HTML on our pages: only in a sandboxed frame, under a policy that lets nothing run and nothing leave."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; font-src https: data:;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def framed(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Render a document for a frame. The view must be `xframe_options_sameorigin`, or it is shown nowhere."""
    response = render(request, template, context)
    response["Content-Security-Policy"] = POLICY
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
