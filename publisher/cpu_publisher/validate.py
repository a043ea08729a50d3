"""`cpu-publisher validate`: how far the noise was from the truth, by the owner's own history of the private folder.

The summary holds errors only. The picture holds raw means and therefore goes into the private folder, nowhere else.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import sys
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from cpu_publisher import chart, preview_page, slots
from cpu_publisher.guarantee import two_digits
from cpu_publisher.history import HISTORY_LIMIT, HISTORY_NAME
from cpu_publisher.private import PrivateFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cpu_publisher.settings import Settings

PICTURE_NAME = "validate.html"
_BINS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, math.inf)
_DOUBT = 1e-6  # a share outside the band that is less likely than this is said to be wrong


@dataclass(frozen=True, slots=True)
class Release:
    """One line of the history. `raw` and `released` in percent, `scale_pp` is b; neither value is shown by repr."""

    slot: int
    slot_seconds: int
    raw: float = dataclasses.field(repr=False)
    released: float = dataclasses.field(repr=False)
    scale_pp: float

    @property
    def error(self) -> float:
        """Noise of this release, percentage points."""
        return self.released - self.raw

    @property
    def band_pp(self) -> float:
        """Half-width that 95 of 100 errors stay below: b·ln 20."""
        return self.scale_pp * math.log(20)


@dataclass(frozen=True, slots=True)
class Summary:
    """How far releases were from the truth. Errors in percentage points.

    Attributes:
        releases: how many; unreadable: lines that were none.
        mean_error, mean_error_expected: the mean, and the standard error that noise of these scales gives it.
        median_error, median_error_expected: the median of |error|, and b·ln 2 of the median scale.
        inside: share of errors inside their 95 % band.
        plausible: False if that many outside (or so few) happen less than once in a million times.
        histogram: [|error| from, to (in b; null: no end), how many, how many Laplace noise gives].
    """

    releases: int
    unreadable: int
    mean_error: float
    mean_error_expected: float
    median_error: float
    median_error_expected: float
    inside: float
    plausible: bool
    histogram: list[tuple[float, float | None, int, float]]


def parse(lines: Iterable[str]) -> tuple[list[Release], int]:
    """Releases of a history, oldest first, and how many lines were none (a line cut by a crash)."""
    releases = []
    unreadable = 0
    for line in lines:
        try:
            fields = json.loads(line)
            found = Release(*(fields[name] for name in ("slot", "slot_seconds", "raw", "released", "scale_pp")))
            usable = math.isfinite(found.error) and found.scale_pp > 0
        except (ValueError, KeyError, TypeError, RecursionError):
            usable = False
        if usable:
            releases.append(found)
        else:
            unreadable += 1
    return releases, unreadable


def summarise(releases: Sequence[Release], unreadable: int = 0) -> Summary:
    """Compare the errors with Laplace noise of the published scales. Needs at least one release."""
    n = len(releases)
    outside = sum(abs(r.error) > r.band_pp for r in releases)
    ratios = [abs(r.error) / r.scale_pp for r in releases]
    return Summary(
        releases=n,
        unreadable=unreadable,
        mean_error=statistics.fmean(r.error for r in releases),
        mean_error_expected=math.sqrt(2 * math.fsum(r.scale_pp**2 for r in releases)) / n,
        median_error=statistics.median(abs(r.error) for r in releases),
        median_error_expected=math.log(2) * statistics.median(r.scale_pp for r in releases),
        inside=1 - outside / n,
        plausible=min(_at_least(outside, n, 0.05), _at_least(n - outside, n, 0.95)) > _DOUBT / 2,
        histogram=[
            (
                low,
                None if math.isinf(high) else high,
                sum(low <= ratio < high for ratio in ratios),
                n * (math.exp(-low) - math.exp(-high)),
            )
            for low, high in pairwise(_BINS)
        ],
    )


def _at_least(count: int, n: int, probability: float) -> float:
    """P(at least `count` of `n`) of a binomial law, in logarithms so that thousands do not overflow."""
    log_p, log_q = math.log(probability), math.log1p(-probability)
    return math.fsum(
        math.exp(math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log_p + (n - i) * log_q)
        for i in range(count, n + 1)
    )


def text(summary: Summary) -> str:
    """The summary for a terminal, with the histogram of |error| in units of b."""
    verdict = (
        "as Laplace noise gives it"
        if summary.plausible
        else "NOT what Laplace noise gives: cpu-publisher pause, and report it"
    )
    expected_mean = two_digits(1.96 * summary.mean_error_expected)
    lines = [
        f"{summary.releases} releases" + (f", {summary.unreadable} lines unreadable" if summary.unreadable else ""),
        f"mean error        {summary.mean_error:+.2f} points (± {expected_mean} expected)",
        f"median |error|    {summary.median_error:.2f} points ({summary.median_error_expected:.2f} expected)",
        f"inside 95 % band  {100 * summary.inside:.1f} % ({verdict})",
        "",
        "|error| / b   seen  expected",
    ]
    most = max(count for _, _, count, _ in summary.histogram)
    for low, high, count, expected in summary.histogram:
        label = f"{low:g} and more" if high is None else f"{low:g} to {high:g}"
        lines.append(f"{label:<12} {count:>5}  {expected:>8.1f}  {'#' * round(40 * count / most)}")
    return "\n".join(lines)


def picture(releases: Sequence[Release], summary: Summary) -> str:
    """Raw against released over time, as a self-contained page without script."""
    raw = chart.Series("raw", [(r.slot, r.raw) for r in releases], "a", dots=True)
    released = chart.Series("released", [(r.slot, r.released) for r in releases], "b", dots=True)
    band = chart.Band("95 % noise", [(r.slot, r.raw - r.band_pp, r.raw + r.band_pp) for r in releases], "a")
    title = "Raw mean, what was released, and the band that 95 of 100 releases lie in"
    drawn = chart.line_chart([raw, released], [band], title, lambda slot: slots.timestamp(round(1_000 * slot)))
    legend = '<ul class="legend"><li class="a">raw, and its 95 % band</li><li class="b">released</li></ul>'
    body = (
        f'<section class="card"><p>{title}.</p>{legend}{drawn}</section>'
        '<section class="card"><div class="scroll" tabindex="0" role="region" aria-label="Errors as numbers">'
        f"<pre>{escape(text(summary))}</pre></div></section>"
    )
    return preview_page.document("How far the noise was from the truth", body)


def main(argv: Sequence[str], settings: Settings) -> int:
    """Run the command. Returns its exit code: 0, or 3 where there is nothing to compare.

    Raises:
        FolderError: the private folder is not ours or not private, or cannot be read or written.
    """
    parser = argparse.ArgumentParser(prog="cpu-publisher validate", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--html", action="store_true", help=f"also draw {PICTURE_NAME} into the private folder")
    args = parser.parse_args(argv)
    with PrivateFolder(settings.private_dir).folder as folder:
        history = folder.read(HISTORY_NAME, HISTORY_LIMIT) or b""
        releases, unreadable = parse(history.decode("utf-8", "replace").splitlines())
        if not releases:
            sys.stdout.write(f"no release in {folder.path / HISTORY_NAME} yet (CPUTRACKER_HISTORY_DAYS=0 keeps none)\n")
            return 3
        summary = summarise(releases, unreadable)
        answer = json.dumps(dataclasses.asdict(summary), indent=2) if args.json else text(summary)
        if args.html:
            folder.write(PICTURE_NAME, picture(releases, summary).encode(), mode=0o600)
            answer += f"\n\ndrawn in {folder.path / PICTURE_NAME}"
    sys.stdout.write(answer + "\n")
    return 0
