"""A real browser for tests of pages: Chromium, driven by Playwright.

Without it, tests skip; ``KE_NEEDS_BROWSER=1`` turns skipping into failing.
"""

import contextlib
import os
import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
NEEDED = os.environ.get("KE_NEEDS_BROWSER") == "1"

needs_browser = pytest.mark.skipif(
    not (CHROMIUM or NEEDED), reason="needs Chromium, a browser"
)


@contextlib.contextmanager
def launched():
    """Yield a browser that makes no requests of its own."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "KE_NEEDS_BROWSER is set, and there is no Chromium"
    quiet = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


def new_page(browser, contexts, messages, **settings):
    """Return a page; note its context, and whatever appears in its console."""
    contexts.append(browser.new_context(**settings))
    page = contexts[-1].new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    return page
