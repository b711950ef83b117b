"""A browser for the tests of the page: a Chromium of this machine, or the one that Playwright fetched, steered by it.

`python tests/browser.py` says which it is; its exit code is 1 where there is none.
"""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium(driver):
    """Return the path of a Chromium: the first of `NAMES`, else that of `playwright install`; None without any.

    driver: what Playwright's `sync_playwright` gives.
    """
    fetched = driver.chromium.executable_path
    return next(filter(None, map(shutil.which, NAMES)), fetched if Path(fetched).is_file() else None)


@contextmanager
def started():
    """Start a Chromium and return Playwright's Browser. Skips, with what is missing, where that cannot be."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page in a browser: Playwright is not installed")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    with playwright.sync_playwright() as driver:
        path = chromium(driver)
        if path is None:
            pytest.skip(f"the page in a browser: none of {', '.join(NAMES)} is installed, nor has Playwright its own")
        browser = driver.chromium.launch(executable_path=path, args=root)
        yield browser
        browser.close()


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as found:
        path = chromium(found)
    print(f"browser: {path or 'none'}")
    sys.exit(path is None)
