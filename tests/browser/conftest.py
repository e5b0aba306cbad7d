"""A real browser against a real server: pages are watched for console errors and policy violations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page


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
