"""A page as PDF, by the Chromium that is installed: the adapter over it.

Reads an HTML file, writes the PDF beside it. Refuses (`UsageError`) where no Chromium is found, and (`StackError`) one that fails.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from groundswell.errors import StackError, UsageError
from groundswell.files import replacing

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SECONDS = 120


def chromium() -> str:
    """The Chromium on the path."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise UsageError(f"--pdf: expected one of {', '.join(_NAMES)} on the path, found none: install it, or print the HTML from a browser")


def pdf(page: Path, program: str) -> Path:
    """The PDF of ``page``, beside it; it bears the time at which it was made, so its bytes don't repeat."""
    path = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(prefix="groundswell-pdf-") as profile, replacing(path) as beside:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={profile}"]
        command = [program, *options, f"--print-to-pdf={beside.resolve()}", page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise StackError(f"{program} made no PDF of {page} in {_SECONDS} s: try again, or print the HTML from a browser") from None
        if done.returncode or not beside.is_file():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise StackError(f"{program} made no PDF of {page} (exit status {done.returncode}: {last}): print the HTML from a browser")
    return path
