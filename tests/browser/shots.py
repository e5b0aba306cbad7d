"""Pictures of pages, for people who look: `python -m tests.browser.shots --base URL --out DIR [--login EMAIL PASSWORD] PATH…`.

Each path is taken at 1440 and 390 px, in Chinese and English, light and dark. Exit code 1, with the list, when a page
logged a console error, broke the content security policy or scrolled sideways.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

WIDTHS = {"1440": {"width": 1440, "height": 900}, "390": {"width": 390, "height": 844}}
LANGUAGES = {"zh": "zh-hans", "en": "en"}
THEMES = ("light", "dark")


def main() -> int:
    """Take the pictures; 1 when anything was wrong with a page."""
    asked = arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        session = browser.new_context()
        if asked.login:
            log_in(session, asked.base, *asked.login)
        state = session.storage_state()
        for width, language, theme in variants(asked.only):
            context = browser.new_context(
                viewport=WIDTHS[width], color_scheme=theme, reduced_motion="reduce", storage_state=state
            )
            context.add_cookies(
                [
                    {"name": "django_language", "value": LANGUAGES[language], "url": asked.base},
                    {"name": "theme", "value": theme, "url": asked.base},
                ]
            )
            for target in asked.paths:
                wrong += take(context, asked, target, f"{width}-{language}-{theme}")
            context.close()
        browser.close()
    print("\n".join(wrong) or "No console error, no policy violation, no sideways scroll.")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--login", nargs=2, metavar=("EMAIL", "PASSWORD"))
    parser.add_argument("--only", default="", help="a part of width-language-theme, such as 1440-zh or dark")
    parser.add_argument("--viewport", action="store_true", help="the first screen alone, not the whole page")
    parser.add_argument("paths", nargs="+")
    return parser.parse_args()


def variants(only: str) -> Iterator[tuple[str, str, str]]:
    return (variant for variant in product(WIDTHS, LANGUAGES, THEMES) if only in "-".join(variant))


def log_in(context: BrowserContext, base: str, email: str, password: str) -> None:
    page = context.new_page()
    page.goto(f"{base}/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.click("main button.btn-primary")
    page.wait_for_load_state()
    if "/accounts/login" in page.url:
        raise SystemExit("The login was refused.")
    page.close()


def take(context: BrowserContext, asked: argparse.Namespace, target: str, variant: str) -> list[str]:
    """One picture; returns what was wrong with the page."""
    page, wrong = context.new_page(), []
    page.on("console", lambda line: wrong.append(f"{target} {variant}: {line.text}") if line.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"{target} {variant}: {error}"))
    response = page.goto(asked.base + target, wait_until="networkidle")
    if response is None or response.status >= 400:
        wrong.append(f"{target} {variant}: status {response.status if response else 'none'}")
    settle(page)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
        wrong.append(f"{target} {variant}: scrolls sideways")
    name = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-") or "root"
    page.screenshot(path=asked.out / f"{name}-{variant}.png", full_page=not asked.viewport)
    page.close()
    return wrong


SETTLE = """async () => {
    const wait = (ms) => new Promise((go) => setTimeout(go, ms));
    for (let y = 0; y < document.body.scrollHeight; y += 600) { scrollTo(0, y); await wait(60); }
    scrollTo(0, 0);
    const drawn = () => [...document.querySelectorAll("[data-chart]")].every((box) => box.querySelector("svg"));
    for (let tries = 0; tries < 100 && !drawn(); tries += 1) await wait(100);
    await wait(400);
}"""


def settle(page: Page) -> None:
    """Pictures are drawn when they come into sight: walk down the page and wait until all of them stand."""
    page.evaluate(SETTLE)


if __name__ == "__main__":
    sys.exit(main())
