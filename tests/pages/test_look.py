"""The look: colours that everybody can tell apart, and templates that a strict content security policy lets live."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest

from lifecycle.stages import upward

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "static/app.css").read_text(encoding="utf-8")
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STAGES = [stage.key for stage in upward()]
Rgb = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
BLINDNESS = {
    "nobody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def tokens(theme: str) -> dict[str, str]:
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", CSS.split('[data-bs-theme="dark"] {', 1)[0]))
    dark = CSS.split('[data-bs-theme="dark"] {', 1)[1].split("}", 1)[0]
    return light if theme == "light" else light | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))


def linear(colour: str) -> Rgb:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)  # type: ignore[return-value]


def seen_by(colour: str, kind: str) -> Rgb:
    rgb = linear(colour)
    return tuple(min(1.0, max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True)))) for row in BLINDNESS[kind])  # type: ignore[return-value]


def oklab(rgb: Rgb) -> Rgb:
    r, g, b = rgb
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def contrast(one: str, other: str) -> float:
    light, dark = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other))), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", BLINDNESS)
def test_stages_can_be_told_apart_by_every_reader(theme: str, kind: str) -> None:
    colours = {stage: tokens(theme)[f"c-stage-{stage}"] for stage in STAGES}
    assert [stage for stage in STAGES if f".dot-stage-{stage} {{" not in CSS] == []
    for one, other in itertools.combinations(STAGES, 2):
        gap = math.dist(oklab(seen_by(colours[one], kind)), oklab(seen_by(colours[other], kind)))
        assert gap > 0.08, f"{one} and {other} look alike ({gap:.3f}) to {kind} in {theme}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_ground(theme: str) -> None:
    now = tokens(theme)
    for text in ("ink", "grey", "accent", "good", "bad", "warn"):
        for ground in ("page", "surface", "hover"):
            assert contrast(now[text], now[ground]) >= 4.5, (text, ground, theme)
    for name, colour in now.items():
        if name.startswith("c-") and not name.startswith("c-control"):
            assert contrast(colour, now["surface"]) >= 2.4, (name, theme)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_needs_nothing_that_the_policy_forbids(path: Path) -> None:
    if path.name == "preview.html":
        return  # a letter in a sandboxed frame, with a policy of its own
    text = re.sub(r"{% comment %}.*?{% endcomment %}", "", path.read_text(encoding="utf-8"), flags=re.S)
    assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script\b[^>]*>", text))
    assert not re.search(r"hx-on|hx-vals=['\"]js:|hx-trigger=\"[^\"]*\[", text), "HTMX may not evaluate here"


def test_every_icon_that_is_used_is_brought() -> None:
    brought = {line.split("#")[0].strip() for line in (ROOT / "scripts/icons.txt").read_text().splitlines()}
    used = {name for path in TEMPLATES for name in re.findall(r"{% icon '([\w-]+)'", path.read_text(encoding="utf-8"))}
    used |= {
        name
        for path in TEMPLATES
        for name in re.findall(r"_empty\.html\" with icon='([\w-]+)'", path.read_text(encoding="utf-8"))
    }
    assert used - brought == set()
