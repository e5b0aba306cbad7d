"""The addresses SDKs send to, by protocol; a slash at the end makes no difference."""

from __future__ import annotations

import re

from users.ingest.door import Address
from users.ingest.posthog import PosthogRequest, quiet
from users.ingest.segment import KINDS, PixelRequest, SegmentRequest, browser_settings
from users.ingest.sensors import SensorsRequest

POST, GET, BOTH = ("POST",), ("GET",), ("POST", "GET")


def segment(kind: str) -> Address:
    return Address(POST, SegmentRequest, {"kind": kind})


EXACT = {
    **{f"/v1/{kind}": segment(kind) for kind in (*KINDS, "batch")},
    # Browsers abbreviate: /v1/t is /v1/track.
    **{f"/v1/{kind[0]}": segment(kind) for kind in (*KINDS, "batch")},
    **dict.fromkeys(("/v1/import", "/beacon/v1/batch"), segment("batch")),
    **{f"/pixel/v1/{kind}": Address(GET, PixelRequest, {"kind": kind}) for kind in ("track", "page")},
    **dict.fromkeys(("/sa", "/sa.gif"), Address(BOTH, SensorsRequest)),
    "/debug": Address(BOTH, SensorsRequest, {"check": True}),
    **dict.fromkeys(("/batch", "/capture", "/e", "/track", "/i/v0/e"), Address(BOTH, PosthogRequest)),
    **dict.fromkeys(("/flags", "/decide"), Address(BOTH, fixed=quiet)),
}
PATTERNS = (
    (re.compile(r"/v1/projects/[^/]+/settings"), Address(GET, fixed=browser_settings)),
    (re.compile(r"/array/[^/]+/config(\.js)?"), Address(GET, fixed=quiet)),
)


def find(path: str) -> Address | None:
    """What stands at this path, None when nothing does."""
    path = path.removesuffix("/")
    return EXACT.get(path) or next((address for pattern, address in PATTERNS if pattern.fullmatch(path)), None)


def is_ours(path: str) -> bool:
    """Whether ingest answers for this path, be it with 404."""
    return path.startswith("/v1/") or find(path) is not None
