"""A browser for the tests of the page: a Chromium of this machine, steered by Playwright."""

import os
import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium():
    """Return the path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started():
    """Start a Chromium and return Playwright's Browser. Skips, with what is missing, where that cannot be."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page in a browser: Playwright is not installed")
    if not chromium():
        pytest.skip(f"the page in a browser: none of {', '.join(NAMES)} is installed")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=root)
        yield browser
        browser.close()
