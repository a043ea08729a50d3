"""A real Chromium, and what is wrong with a page as it sees it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTHS, SCHEMES = (375, 1_280), ("light", "dark")
LOOKS = [pytest.param(w, s, id=f"{w}-{s}") for w in WIDTHS for s in SCHEMES]
_AXE = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
_RUN_AXE = "const done = arguments[0]; axe.run().then(r => done(r.violations), e => done([{id: String(e), nodes: []}]))"

_FOCUS = """
const at = document.activeElement
if (at === document.body) return ['', '']
return [at.ariaLabel || at.textContent.trim(), getComputedStyle(at).outlineStyle]
"""


class Server(Protocol):
    """What both packages' servers are."""

    port: int

    def run(self) -> None:
        """Serve."""

    def close(self) -> None:
        """End."""


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """The address of `server`, which runs until the end."""
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.close()
        thread.join(5)


class Browser:
    """One session for the whole suite: each start costs more than a page."""

    def __init__(self) -> None:
        program, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if not program or not driver:
            pytest.fail("the browser tests need Chromium: apt-get install chromium chromium-driver", pytrace=False)
        options = webdriver.ChromeOptions()
        options.binary_location = program
        # No name resolves: whatever Chromium itself would like to call stays on this machine.
        for flag in (
            "headless=new",
            "disable-gpu",
            "disable-dev-shm-usage",
            "disable-background-networking",
            "no-first-run",
            "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            *(["no-sandbox"] if os.geteuid() == 0 else []),
        ):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))

    def visit(self, url: str, width: int, scheme: str) -> None:
        """Open `url` as a screen of that width and colour scheme would."""
        cdp = self.driver.execute_cdp_cmd
        cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.get("about:blank")
        for log in ("performance", "browser"):  # what an earlier page left
            self._log(log)
        self.driver.get(url)

    def faults(self) -> list[str]:
        """Everything that must not be, as sentences; to be asked once after a visit."""
        here = urlsplit(self.driver.current_url)
        found = []
        for url in self.requested():
            there = urlsplit(url)
            if there.scheme != "data" and (there.scheme, there.netloc) != (here.scheme, here.netloc):
                found.append(f"request to another origin: {url}")
        found += [f"console: {entry['message']}" for entry in self._log("browser")]
        size = self.script("return [document.documentElement.scrollWidth, innerWidth]")
        if size[0] > size[1]:
            found.append(f"scrolls sideways: {size[0]} px in a window of {size[1]}")
        self.driver.execute_script(_AXE)
        for violation in self.driver.execute_async_script(_RUN_AXE):
            found.append(f"axe: {violation['id']}")
            found += [f"  {node['target']} {node['failureSummary']}" for node in violation["nodes"]]
        return found

    def requested(self) -> list[str]:
        """Addresses that the page asked for since the visit."""
        events = (json.loads(entry["message"])["message"] for entry in self._log("performance"))
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def tab_stops(self) -> list[str]:
        """What the Tab key reaches, in order, by label; each must show that it has the focus."""
        stops: list[str] = []
        while True:
            ActionChains(self.driver).send_keys(Keys.TAB).perform()
            label, outline = self.script(_FOCUS)
            if not label:
                return stops
            assert outline != "none", f"{label} has the focus and does not show it"
            stops.append(label)

    def _log(self, name: str) -> list[dict[str, str]]:
        entries: list[dict[str, str]] = self.driver.get_log(name)  # type: ignore[no-untyped-call] # selenium's own
        return entries

    def script(self, code: str) -> Any:  # noqa: ANN401 - whatever the script returns
        """Run `code` in the page."""
        return self.driver.execute_script(code)
