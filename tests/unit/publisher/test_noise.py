from __future__ import annotations

import ast
import math
from fractions import Fraction
from pathlib import Path

import pytest

from cpu_publisher import budget, noise
from cpu_publisher.errors import NoiseError
from cpu_publisher.noise import Mechanism
from cpu_publisher.presets import PRESETS


@pytest.mark.parametrize(
    ("d_in", "epsilon", "scale"),
    [(10_000, 1.0, 10_000), (10_000, 0.5, 20_000), (200, 0.5, 400), (120_000, 1.0, 120_000)],
)
def test_scale_is_sensitivity_over_epsilon(d_in: int, epsilon: float, scale: float) -> None:
    mech = Mechanism(d_in, epsilon)
    assert mech.scale == pytest.approx(scale, rel=1e-9)
    assert mech.epsilon <= epsilon
    assert mech.epsilon == pytest.approx(epsilon, rel=1e-9)


def test_a_larger_change_costs_in_proportion() -> None:
    mech = Mechanism(200, 0.5)
    assert mech.map(10_000) == pytest.approx(25, rel=1e-9)


@pytest.mark.parametrize("d_in", [0, -1])
@pytest.mark.parametrize("epsilon", [1.0])
def test_no_sensitivity_is_refused(d_in: int, epsilon: float) -> None:
    with pytest.raises(NoiseError, match="must be above 0"):
        Mechanism(d_in, epsilon)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_no_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(NoiseError, match="must be above 0"):
        Mechanism(10_000, epsilon)


@pytest.mark.parametrize("total", [1.0, math.nan, math.inf, "1", None, True, Fraction(1)])
def test_only_integers_are_released(total: object) -> None:
    """OpenDP itself would release a NaN as 0 + noise, and infinity as the largest float."""
    with pytest.raises(NoiseError, match="integers only"):
        Mechanism(10_000, 1.0).draw(total)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("scale", [0.0, 5_000.0])
def test_a_scale_whose_map_says_more_is_refused(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    """OpenDP accepts scale 0 (map: infinity); half the scale is ε = 2."""
    monkeypatch.setattr(noise, "binary_search_param", lambda *_args, **_kwargs: scale)
    with pytest.raises(NoiseError, match="map"):
        Mechanism(10_000, 1.0)


def test_draws_are_whole_and_differ() -> None:
    mech = Mechanism(10_000, 1.0)
    draws = [mech.draw(5_000) for _ in range(20)]
    assert all(type(value) is int for value in draws)
    assert len(set(draws)) > 10


def test_the_error_bar_is_the_quantile() -> None:
    """P(|noise| >= b·ln 20) = 5 %."""
    assert budget.error95_pp(PRESETS["window"], 1) == pytest.approx(100 * math.log(20), abs=0.02)


def test_calibration_is_done_once() -> None:
    assert noise.mechanism(10_000, 1.0) is noise.mechanism(10_000, 1.0)


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}}


def test_one_module_draws_noise_and_nothing_stands_in_for_it() -> None:
    package = Path(noise.__file__).parent
    imported = {path.name: _imported(path) for path in package.rglob("*.py")}
    assert [name for name, modules in imported.items() if "opendp" in modules] == ["noise.py"]
    assert not {"random", "numpy", "diffprivlib"} & set().union(*imported.values())
