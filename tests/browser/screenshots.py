"""`make screenshots`: the pictures of the README, of the real demo's pages in a real Chromium.

Starts the demo, waits until its network has a history to show, takes both pages in both colour schemes, and takes the
demo away again. Inter (Debian: fonts-inter) is the typeface that the pages ask for first.
"""

from __future__ import annotations

import base64
import re
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
WIDTH, HEIGHTS = 1_280, {"network": 1_060, "owner": 900}
POINTS = 15  # results of ten seconds each that the chart shows
WAIT_SECONDS = 300


def addresses(said: str) -> dict[str, str]:
    """Where the demo's two pages are, from what it printed."""
    owner = re.search(r"^this machine's page +(http\S+)$", said, re.MULTILINE)
    assert owner, said
    return {"network": said.strip().splitlines()[-1], "owner": owner[1]}


def await_points(page: str) -> None:
    """Until the network's page has so many results."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        results = requests.get(f"{page}export.json?range=1h", timeout=5).json()
        if sum(1 for slot in results if slot["n"]) >= POINTS:
            return
        time.sleep(1)
    raise SystemExit(f"the demo has not {POINTS} results after {WAIT_SECONDS} s: make demo, and look at {page}")


def take(browser: Browser, url: str, height: int, scheme: str, target: Path) -> None:
    """One picture of what a window of that size shows."""
    browser.visit(url, WIDTH, scheme)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    target.write_bytes(base64.b64decode(shot["data"]))
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1_000:.0f} kB")  # noqa: T201 - a script that says so


def main() -> int:
    """Take all of them. Returns the exit code."""
    if not shutil.which("fc-list") or "Inter" not in subprocess.check_output(["fc-list"], text=True):
        raise SystemExit("the typeface Inter is missing; Debian: apt-get install fontconfig fonts-inter")
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        pages = addresses(subprocess.run(DEMO, check=True, capture_output=True, text=True).stdout)
        await_points(pages["network"])
        browser = Browser()
        try:
            for name, url in pages.items():
                for scheme in SCHEMES:
                    address = f"{url}?range=1h" if name == "network" else url
                    take(browser, address, HEIGHTS[name], scheme, FOLDER / f"{name}-{scheme}.png")
        finally:
            browser.driver.quit()
    finally:
        subprocess.run([*DEMO, "down"], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
