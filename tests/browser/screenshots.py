"""`make screenshots`: the picture of the README, of the real demo's page in a real Chromium.

Starts the demo, waits until its network has a history to show, takes its page in both colour schemes, and takes the
demo away again. Inter (Debian: fonts-inter) is the typeface that the page asks for first.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import time
from pathlib import Path

import requests
from tests.browser.browsing import SCHEMES, Browser

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "images"
DEMO = [sys.executable, str(ROOT / "tools" / "demo.py")]
WIDTH, HEIGHT = 1_280, 1_060
POINTS = 15  # results of ten seconds each that the chart shows
WAIT_SECONDS = 300


def await_points(page: str) -> None:
    """Until the network's page has so many results."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        results = requests.get(f"{page}export.json?range=1h", timeout=5).json()
        if sum(1 for slot in results if slot["n"]) >= POINTS:
            return
        time.sleep(1)
    raise SystemExit(f"the demo has not {POINTS} results after {WAIT_SECONDS} s: make demo, and look at {page}")


def take(browser: Browser, url: str, scheme: str, target: Path) -> None:
    """One picture of what a window of that size shows."""
    browser.visit(url, WIDTH, scheme)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": 1}
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    target.write_bytes(base64.b64decode(shot["data"]))
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1_000:.0f} kB")  # noqa: T201 - a script that says so


def main() -> int:
    """Take them. Returns the exit code."""
    if not shutil.which("fc-list") or "Inter" not in subprocess.check_output(["fc-list"], text=True):
        raise SystemExit("the typeface Inter is missing; Debian: apt-get install fontconfig fonts-inter")
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        said = subprocess.run(DEMO, check=True, capture_output=True, text=True).stdout
        page = said.strip().splitlines()[-1]
        await_points(page)
        browser = Browser()
        try:
            for scheme in SCHEMES:
                take(browser, f"{page}?range=1h", scheme, FOLDER / f"network-{scheme}.png")
        finally:
            browser.driver.quit()
    finally:
        subprocess.run([*DEMO, "down"], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
