"""What commands draw, opened from a folder: the publisher's preview and validation, the aggregator's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.browsing import LOOKS, Browser
from tests.unit.publisher.test_validate import history

import cpu_aggregator.cli
from cpu_publisher import preview, settings, validate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module", params=["preview", "validate", "plan"])
def picture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As its command draws it."""
    file = tmp_path_factory.mktemp("pictures") / f"{request.param}.html"
    if request.param == "preview":
        preview.main(["--html", str(file)], settings.read({}))
    elif request.param == "validate":
        releases, unreadable = validate.parse(history(168))
        file.write_text(validate.picture(releases, validate.summarise(releases, unreadable)), encoding="utf-8")
    else:
        cpu_aggregator.cli.main(["plan", "--participants", "50", "--html", str(file)], {})
    return file


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_it_is_sound_on_phone_and_desk(picture: Path, browser: Browser, width: int, scheme: str) -> None:
    browser.visit(picture.as_uri(), width, scheme)
    assert browser.faults() == []
    assert browser.script("return [document.scripts.length, document.querySelectorAll('main svg').length > 0]") == [
        0,
        True,
    ]
