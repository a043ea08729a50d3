"""docs/privacy.md against the script that computes its numbers."""

from __future__ import annotations

import re

import pytest
from bench import privacy

TEXT = privacy.DOCUMENT.read_text(encoding="utf-8")


def test_every_block_is_what_the_script_prints() -> None:
    assert privacy.fill(TEXT) == TEXT, "run python bench/privacy.py --write"


def test_numbers_of_the_prose_are_computed_too() -> None:
    """Prose may use small counts, years and the numbers that a block has."""
    prose = re.sub(r"<!-- bench.*?<!-- end -->", "", TEXT, flags=re.DOTALL)
    prose = prose.split("## Formulas")[0]
    computed = set(re.findall(r"\d[\d,.]*\d|\d", " ".join(block() for block in privacy.BLOCKS.values())))
    allowed = {"800", "226", "7", "10", "5", "50", "0", "95", "100", "0.5", "24"}
    written = set(re.findall(r"\d[\d,.]*\d|\d", prose))
    assert written - computed - allowed == set()


@pytest.mark.parametrize(
    "said",
    [
        "takes part, and when it is online, is not hidden",
        "can read the private",
        "Hertzbleed",
        "PLATYPUS",
        "diffprivlib",
        "calendar days",
        "memoisation",
        "tree mechanisms",
        "NIST SP 800-226",
    ],
)
def test_what_must_be_said_is_said(said: str) -> None:
    assert said in TEXT
