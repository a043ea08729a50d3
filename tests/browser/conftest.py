from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.browsing import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    one = Browser()
    yield one
    one.driver.quit()
