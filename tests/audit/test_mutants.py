"""Every fault of the list is found by the check that is meant to find it."""

from __future__ import annotations

import pytest
from tests.audit import behaviour
from tests.audit.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.name}: {m.noticed_by}")
def test_mutant_is_found(mutant: Mutant) -> None:
    found = mutant.found()
    assert not found.ok, f"{mutant.noticed_by} saw nothing of {mutant.name!r}: {found.detail}"


@pytest.mark.parametrize(
    "check",
    [
        behaviour.nothing_visible_without_a_record,
        behaviour.restart_repeats,
        behaviour.windows_once,
        behaviour.no_window_missing_when_busy,
    ],
    ids=lambda check: check.__name__,
)
def test_the_program_as_it_is_passes(check: object) -> None:
    assert callable(check)
    found = check()
    assert found.ok, found.detail
