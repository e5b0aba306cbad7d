"""The HTML of a mail: its links, its open pixel, its plain-text twin.

Only what has to change is cut out and replaced; everything else stays as written, byte for byte, because mail clients
depend on markup that no tidy parser would write. The scanner is our own for three reasons: it knows where each value
stands, it leaves `?a=1&copy=2` alone, and unclosed marks cost it no more time than closed ones (html.parser needs
seconds for 100 kB of "<a ").
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

SAFE_SCHEMES = frozenset({"", "http", "https", "mailto", "tel", "sms"})
LINK_TAGS = frozenset({"a", "area"})
RAW_TAGS = frozenset({"script", "style", "title", "textarea"})
BLOCK_TAGS = frozenset({
    "address", "article", "blockquote", "div", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
    "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
SPACED_TAGS = frozenset({"p", "h1", "h2", "h3"})

TAG_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)")
BODY_END = re.compile("</body", re.IGNORECASE)
TAG_STEP = re.compile(r"""=\s*(["'])|>""")
ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
REFERENCE = re.compile(r"&(?:#\d+;?|#[xX][0-9a-fA-F]+;?|\w+;)")


class Piece(NamedTuple):
    """A tag or a run of text. name: "a", "/a", or "" for text; comments and the insides of <style> are left out."""

    name: str
    start: int
    end: int


def rewrite_links(markup: str, make_url: Callable[[str], str]) -> tuple[str, list[str]]:
    """Return (html with each http(s) link replaced by make_url(link), the links in order, each once).

    A link that would run code (javascript:, data: …) becomes "#"; mailto:, tel: and relative links stay.
    """
    targets: dict[str, str] = {}
    parts, done = [], 0
    for piece in _pieces(markup):
        value = _attribute(markup, piece, "href") if piece.name in LINK_TAGS else None
        if value is None:
            continue
        url = _decoded(value.group(2))
        scheme = _scheme(url)
        if scheme in ("http", "https"):
            if url not in targets:
                targets[url] = make_url(url)
            target = targets[url]
        elif scheme in SAFE_SCHEMES:
            continue
        else:
            target = "#"
        parts += [markup[done : value.start(2)], f'"{html.escape(target)}"']
        done = value.end(2)
    return "".join([*parts, markup[done:]]), list(targets)


def add_open_pixel(markup: str, url: str) -> str:
    """Return the HTML with an invisible image at its end, fetched when the mail is opened."""
    return add_at_end(markup, f'<img src="{html.escape(url)}" width="1" height="1" alt="">')


def add_at_end(markup: str, piece: str) -> str:
    """Return the HTML with a piece more at the end of its body."""
    # Not by looking through markup.lower(): in lower case an "İ" is two characters long.
    position = max((match.start() for match in BODY_END.finditer(markup)), default=len(markup))
    return markup[:position] + piece + markup[position:]


def html_to_text(markup: str) -> str:
    """Return the words of the HTML as plain text, a line per block, with the address behind each link."""
    written: list[str] = []
    link, link_start = "", 0
    for piece in _pieces(markup):
        if not piece.name:
            written.append(re.sub(r"\s+", " ", html.unescape(markup[piece.start : piece.end])))
        elif piece.name == "a":
            link, link_start = _value(markup, piece, "href"), len(written)
        elif piece.name == "/a":
            words = "".join(written[link_start:]).strip()
            if link and not link.startswith("#") and _scheme(link) in SAFE_SCHEMES and words != link:
                written.append(f" ({link})")
            link = ""
        else:
            written.append(_space_of(markup, piece))
    lines = (" ".join(line.split()) for line in "".join(written).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _space_of(markup: str, piece: Piece) -> str:
    """Return what stands in plain text for a tag that is no link."""
    name = piece.name.lstrip("/")
    if name == "li":
        return "\n- " if piece.name == "li" else ""
    if name in BLOCK_TAGS:
        return "\n\n" if piece.name.startswith("/") and name in SPACED_TAGS else "\n"
    if name == "img":
        alt = _value(markup, piece, "alt")
        return f"[{alt}]" if alt else ""
    return {"br": "\n", "td": " ", "th": " "}.get(name, "")


def _pieces(markup: str) -> Iterator[Piece]:
    """Yield the tags and texts in order. Whatever is opened and never closed ends the document, as in a browser."""
    position = text_start = 0
    while (start := markup.find("<", position)) >= 0:
        match = TAG_NAME.match(markup, start)
        if match:
            name, end = match.group(1).lower(), _tag_end(markup, match.end())
        elif markup.startswith(("<!", "</", "<?"), start):
            name, end = "", _after(markup, "-->" if markup.startswith("<!--", start) else ">", start + 2)
        else:
            position = start + 1  # a lone "<" is text
            continue
        if text_start < start:
            yield Piece("", text_start, start)
        if end < 0:
            return
        if match:
            closing = markup[start + 1] == "/"
            yield Piece(f"/{name}" if closing else name, start, end)
            if name in RAW_TAGS and not closing:
                close = re.compile(f"</{name}", re.IGNORECASE).search(markup, end)
                if close is None:
                    return
                end = close.start()
        position = text_start = end
    if text_start < len(markup):
        yield Piece("", text_start, len(markup))


def _tag_end(markup: str, position: int) -> int:
    """Return the offset behind the ">" of a tag; one inside a quoted value does not count. -1 when there is none."""
    while step := TAG_STEP.search(markup, position):
        if step.group() == ">":
            return step.end()
        position = _after(markup, step.group(1), step.end())
        if position < 0:
            break
    return -1


def _after(markup: str, mark: str, position: int) -> int:
    found = markup.find(mark, position)
    return found + len(mark) if found >= 0 else -1


def _attribute(markup: str, piece: Piece, name: str) -> re.Match[str] | None:
    """Return the match of a tag's attribute that has a value (group 2, quotes included); the first counts."""
    for match in ATTRIBUTE.finditer(markup, piece.start + 1 + len(piece.name), piece.end - 1):
        if match.group(1).lower() == name:
            return match if match.group(2) else None
    return None


def _value(markup: str, piece: Piece, name: str) -> str:
    match = _attribute(markup, piece, name)
    return _decoded(match.group(2)) if match else ""


def _decoded(value: str) -> str:
    """Return an attribute's value as text. `&copy=1` is a parameter of a link, so named signs need their semicolon."""
    if value[:1] in "\"'":
        value = value[1:-1]
    return REFERENCE.sub(lambda match: html.unescape(match.group()), value).strip()


def _scheme(url: str) -> str:
    """Return the scheme as a browser reads it, which skips spaces and control characters; "" for a relative link."""
    visible = "".join(char for char in url if char > " ")
    head, colon, _rest = visible.partition(":")
    return head.lower() if colon and not any(mark in head for mark in "/?#{") else ""
