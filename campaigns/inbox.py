"""本地收件箱: the messages that the local servers keep as files under DATA_DIR/inbox (campaigns/local_servers.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from campaigns.channels import all_channels

NAME = re.compile(r"[0-9]{1,30}-[0-9]{1,12}\Z")
URL = re.compile(r"\(?https?://\S+\)?")
PIXEL = re.compile(r"<img[^<>]*/t/o/[^<>]*>")
MOST_READ = 2000


@dataclass(frozen=True)
class Letter:
    """A message as it arrived; `name` is its file within the channel's folder."""

    channel: str
    name: str
    address: str
    subject: str
    text: str
    html: str
    received_at: datetime
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def shown_html(self) -> str:
        """Without the open pixel: looking in here is not the person opening it."""
        return PIXEL.sub("", self.html)

    @property
    def first_words(self) -> str:
        return " ".join(URL.sub("", self.text).split())[:120]


def folder() -> Path:
    return Path(settings.DATA_DIR) / "inbox"


def list_letters(channel: str, words: str, limit: int) -> list[Letter]:
    """The newest messages, of one channel or with "" of all, whose address, subject or text holds the words."""
    paths = [path for key in ([channel] if channel else all_channels()) for path in folder().glob(f"{key}/[0-9]*.json")]
    paths.sort(key=lambda path: path.name, reverse=True)
    found: list[Letter] = []
    for path in paths[: MOST_READ if words else limit]:
        letter = load(path)
        if letter and words.lower() in f"{letter.address} {letter.subject} {letter.text}".lower():
            found.append(letter)
        if len(found) >= limit:
            break
    return found


def read_letter(channel: str, name: str) -> Letter | None:
    """One message; None for a name that is none of ours."""
    if channel not in all_channels() or not NAME.match(name):
        return None
    return load(folder() / channel / f"{name}.json")


def forget(channel: str, addresses: Collection[str]) -> None:
    """Delete what lies here for some addresses (in lower case), where there is a local inbox at all."""
    if not (settings.LOCAL_INBOX and addresses):
        return
    for path in folder().glob(f"{channel}/[0-9]*.json"):
        letter = load(path)
        if letter and letter.address.lower() in addresses:
            path.unlink(missing_ok=True)


def load(path: Path) -> Letter | None:
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Letter(
        channel=path.parent.name,
        name=path.stem,
        address=str(kept.get("address", "")),
        subject=str(kept.get("subject", "")),
        text=str(kept.get("text", "")),
        html=str(kept.get("html", "")),
        received_at=datetime.fromisoformat(kept["received_at"]),
        headers=dict(kept.get("headers") or {}),
    )
