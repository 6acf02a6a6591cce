"""The browser that the page tests drive: found, started, watched, and slowed down where somebody looks for races.

A page is drawn in its own time. What a test reads of it by itself (`evaluate`, `get_attribute`, `inner_text`, `count`)
is the moment's, and true on a quick machine alone; `expect` waits for the thing itself.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from tests.web.screens import note_errors

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

BROWSERS: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
SLOWDOWN: Final = float(os.environ.get("PAGE_SLOWDOWN", "1"))
"""How many times slower each page's scripts run than the machine lets them: `PAGE_SLOWDOWN=6 make test`."""
PATIENCE_MS: Final = 60_000 * max(1.0, SLOWDOWN)
"""How long a page may take for anything. It is spent only where something is wrong, or on a very busy machine."""

TOASTS_KEPT = """
window.toastsShown = [];
new MutationObserver((changes) => {
  for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
    if (!(node instanceof Element)) continue;
    for (const one of [node, ...node.querySelectorAll(".toast")]) {
      if (one.matches(".toast")) toastsShown.push([one.className, one.textContent]);
    }
  }
}).observe(document, { childList: true, subtree: true });
"""
"""A toast is gone after some seconds, in which a busy machine may not have looked."""

# One patience for all: a test's must not depend on which other one was in its process before.
expect.set_options(timeout=PATIENCE_MS)


def until(
    page: Any, holds: Callable[[], bool], told: Callable[[], str] = str, *, patience_ms: float = PATIENCE_MS
) -> None:
    """Wait until something holds that `expect` has no words for; fails with what is `told` of it."""
    end = time.monotonic() + patience_ms / 1000
    while not holds():
        assert time.monotonic() < end, told()
        # The page's events are heard meanwhile.
        page.wait_for_timeout(20)


def expect_toast(page: Any, tone: str, text: str = "") -> None:
    """One was shown since the page was opened, or since the last one that was expected."""
    seen: list[list[str]] = []

    def shown() -> bool:
        seen.extend(page.evaluate("toastsShown.splice(0)"))
        return any(tone in kind.split() and text in words for kind, words in seen)

    until(page, shown, lambda: f"a {tone} toast must say {text!r}, was {seen}")


def expect_width(page: Any, width: int) -> None:
    """Nothing of the page is wider than that, once what is drawn by hand has followed its size."""

    def wide() -> int:
        return int(page.evaluate("document.documentElement.scrollWidth"))

    until(page, lambda: wide() <= width, lambda: f"must be at most {width} wide, was {wide()}")


@attrs.define
class Watched:
    """What a page did that it must not do."""

    page: Any
    errors: list[str] = attrs.field(factory=list)
    elsewhere: list[str] = attrs.field(factory=list)

    def complained(self, *parts: str) -> None:
        """The page has complained, or does so soon, of exactly these things in this order, and it was to."""
        until(self.page, lambda: len(self.errors) >= len(parts))
        assert len(self.errors) == len(parts), self.errors
        for text, part in zip(self.errors, parts, strict=True):
            assert part in text, self.errors
        self.errors.clear()


@contextmanager
def a_browser() -> Iterator[Any]:
    """A fresh browser. Its life must happen in one thread: playwright's sync API cannot change threads."""
    path = next((path for path in BROWSERS if Path(path).exists()), None)
    with sync_api.sync_playwright() as playwright:
        # The sandbox of Chromium does not run as root, and containers are root.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=2 * PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()


def a_tab(context: Any) -> Any:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(TOASTS_KEPT)
    if SLOWDOWN > 1:
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    return page


def watch(page: Any, base: str) -> Watched:
    """What the page complains of and asks of others than `base`, from now on."""
    seen = Watched(page)
    note_errors(page, seen.errors)
    page.on(
        "request", lambda asked: None if asked.url.startswith((base, "data:")) else seen.elsewhere.append(asked.url)
    )
    return seen
