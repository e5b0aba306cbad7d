"""The addresses SDKs send to, by protocol, each with and without a slash at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.urls import re_path
from django.urls.resolvers import URLPattern

from users.ingest import view
from users.ingest.posthog import PosthogRequest
from users.ingest.segment import KINDS, PixelRequest, SegmentRequest
from users.ingest.sensors import SensorsRequest

app_name = "ingest"
take_segment = view.receive(SegmentRequest)
take_pixel = view.receive(PixelRequest, "GET")
take_sensors = view.receive(SensorsRequest, "POST", "GET")
take_posthog = view.receive(PosthogRequest, "POST", "GET")


def at(pattern: str, handler: Callable[..., HttpResponse], **named: Any) -> URLPattern:
    return re_path(rf"^{pattern}/?$", handler, named)


segment = [
    *(at(f"v1/{kind}", take_segment, kind=kind) for kind in (*KINDS, "batch")),
    # Browsers abbreviate: /v1/t is /v1/track.
    *(at(f"v1/{kind[0]}", take_segment, kind=kind) for kind in (*KINDS, "batch")),
    at("v1/import", take_segment, kind="batch"),
    at("beacon/v1/batch", take_segment, kind="batch"),
    *(at(f"pixel/v1/{kind}", take_pixel, kind=kind) for kind in ("track", "page")),
    re_path(r"^v1/projects/(?P<write_key>[^/]+)/settings/?$", view.segment_settings),
]
sensors = [
    at("sa", take_sensors),
    at(r"sa\.gif", take_sensors),
    at("debug", take_sensors, check=True),
]
posthog = [
    *(at(path, take_posthog) for path in ("batch", "capture", "e", "track", "i/v0/e")),
    *(at(path, view.posthog_quiet) for path in ("flags", "decide")),
    re_path(r"^array/(?P<rest>[^/]+/config(\.js)?)$", view.posthog_quiet),
]
urlpatterns = [*segment, *sensors, *posthog, re_path(r"^v1/(?P<rest>.*)$", view.not_found)]
