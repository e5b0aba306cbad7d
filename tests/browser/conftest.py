"""A real browser against a real server: pages are watched for console errors and policy violations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's sync API keeps an event loop; our threads do not use it


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one `make test` names in CHROMIUM."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path or not Path(path).exists():
        pytest.skip("NO BROWSER: install Debian's chromium; the browser part of the suite did not run")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield running
        running.close()


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page, self.wrong = page, []  # type: ignore[var-annotated]
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )


@pytest.fixture
def watched(browser: Browser, request: Any) -> Iterator[Watched]:
    """A fresh page in the language the test is parametrised with; closing it asserts that nothing went wrong."""
    language = request.param
    context = browser.new_context(
        locale="zh-CN" if language == "zh-hans" else "en-US", viewport={"width": 1440, "height": 900}
    )
    watched = Watched(context.new_page())
    watched.page.set_default_timeout(20_000)
    yield watched
    context.close()
    assert watched.wrong == []
