"""What tests of every folder share."""

import logging
import os
from pathlib import Path

import pytest

pytest.register_assert_rewrite("groundswell.sources.contract")  # its rules are tests

CHROMIUM = Path("/usr/bin/chromium")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # of tests that load the runtime by themselves
logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line a request: under load it buried what had failed


@pytest.fixture
def page():
    """A page of Debian's Chromium without a window; the test is skipped, loudly, where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"NO PAGE WAS OPENED: {CHROMIUM} is not here (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1400, "height": 900})
        browser.close()
