"""What slopes.py has measured, as figures and tables for the documentation."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter
from scipy.interpolate import BSpline, make_interp_spline

#: Of all sides.
COLOURS = {
    "sampled": "#888",
    "slopes": "#d1495b",
    "hybrid": "#30638e",
    "Xplique": "#edae49",
}

#: Those whose errors were measured.
ESTIMATORS = ("sampled", "slopes", "hybrid")
METRICS = {
    "squared": "squared error", "cosine": "cosine", "ssim": "SSIM", "ranks": "ranks"
}  # fmt: skip

#: Network, pixels of a side, sigma.
Setting = tuple[str, int, float]


class Results:
    """Errors by passes, and milliseconds by passes.

    Args:
        folder: with slopes.json and slopes_times.json.
    """

    def __init__(self, folder: Path):
        self.rows, self.times = (
            json.loads((folder / name).read_text())
            for name in ("slopes.json", "slopes_times.json")
        )
        for row in self.times:
            row["side"] = row["side"].removeprefix("ours, ")

    def settings(self, timed: bool = False) -> list[Setting]:
        """Return what was measured; if `timed`, only where times are known."""
        found = dict.fromkeys(
            (row["network"], row["pixels"], row["sigma"]) for row in self.rows
        )
        known = {(row["network"], row["pixels"]) for row in self.times}
        return [each for each in found if each[:2] in known or not timed]

    def curve(self, setting: Setting, side: str, metric: str = "squared") -> tuple:
        """Return passes and a metric of them; Xplique samples, too."""
        estimator = "sampled" if side == "Xplique" else side
        wanted = (*setting, estimator)
        keys = "network", "pixels", "sigma", "estimator"
        rows = [row for row in self.rows if tuple(row[key] for key in keys) == wanted]
        return tuple(np.array([row[key] for row in rows]) for key in ("n", metric))

    def milliseconds(self, setting: Setting, side: str) -> BSpline:
        """Return the time of one image by passes, straight between those measured."""
        return make_interp_spline(*self._timed(setting, side), k=1)

    def passes_in(self, setting: Setting, side: str, ms: float) -> float:
        """Return how many passes the time is enough for."""
        return float(make_interp_spline(*self._timed(setting, side)[::-1], k=1)(ms))

    def _timed(self, setting: Setting, side: str) -> tuple[list, list]:
        wanted = (*setting[:2], side)
        rows = [
            row for row in self.times
            if (row["network"], row["pixels"], row["side"]) == wanted
        ]  # fmt: skip
        return [row["n"] for row in rows], [row["ms"] for row in rows]

    def at(self, setting: Setting, side: str, n: float, metric: str = "squared"):
        """Return the metric after n passes, between those that were measured."""
        passes, values = self.curve(setting, side, metric)
        if metric == "squared":
            return np.exp(np.interp(np.log(n), np.log(passes), np.log(values)))
        return np.interp(np.log(n), np.log(passes), values)

    def passes_for(self, setting: Setting, side: str, squared: float) -> float:
        """Return how many passes have this squared error."""
        passes, values = self.curve(setting, side)
        falling = np.log(values)[::-1], np.log(passes)[::-1]
        return float(np.exp(np.interp(np.log(squared), *falling)))


def figure(results: Results, by_time: bool = False) -> None:
    """Draw squared errors by passes, or by milliseconds, a panel for each setting."""
    settings = results.settings(timed=by_time)
    subjects, sigmas = (
        [*dict.fromkeys(setting[part] for setting in settings)]
        for part in (slice(2), 2)
    )
    shape = {"figsize": (8, 0.5 + 1.9 * len(subjects)), "layout": "constrained"}
    drawing, axes = plt.subplots(
        len(subjects), len(sigmas), sharey="row", squeeze=False, **shape
    )
    for axis, (subject, sigma) in zip(
        axes.ravel(), itertools.product(subjects, sigmas), strict=True
    ):
        if (setting := (*subject, sigma)) in settings:
            _draw(axis, results, setting, by_time)
        else:
            axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("squared error")
    handles = axes[0, 0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    plt.show()


def _draw(axis: Any, results: Results, setting: Setting, by_time: bool) -> None:
    for side in COLOURS if by_time else ESTIMATORS:
        n, squared = results.curve(setting, side)
        x = results.milliseconds(setting, side)(n) if by_time else n
        axis.loglog(x, squared, ".-", color=COLOURS[side], label=side)
    axis.set_title("{}, {} px, sigma {:g}".format(*setting), fontsize=8)
    axis.set_xlabel("ms" if by_time else "passes")
    axis.xaxis.set_minor_formatter(NullFormatter())


def by_passes(results: Results, passes: tuple[int, ...]) -> str:
    """Return a table of squared errors by passes, in Markdown."""
    lines = []
    for setting in results.settings():
        for n in passes:
            errors = [results.at(setting, side, n) for side in ESTIMATORS]
            says = results.at(setting, "hybrid", n, "says")
            worth = results.at(setting, "hybrid", n, "plain")
            lines.append([*setting, n, *errors, says / errors[-1], f"{worth:,.0f}"])
    head = "network", "pixels", "sigma", "passes", *ESTIMATORS, "says/true", "samples"
    return _markdown(head, lines)


def worth(results: Results, passes: tuple[int, ...]) -> str:
    """Return a table of the samples that as many passes of both are worth."""
    lines = []
    for setting in results.settings():
        squared = results.curve(setting, "hybrid")[1]
        says = results.curve(setting, "hybrid", "says")[1][1:] / squared[1:]
        pairs = [
            " / ".join(
                f"{results.at(setting, side, n, 'plain'):,.0f}"
                for side in ("slopes", "hybrid")
            )
            for n in passes
        ]
        lines.append([*setting, *pairs, f"{says.min():.2f} to {says.max():.2f}"])
    head = "network", "pixels", "sigma", *map(str, passes), "says/true"
    return _markdown(head, lines)


def at_equal_time(results: Results, passes: int) -> str:
    """Return a table of all metrics in the time of so many passes of Xplique."""
    lines = []
    for setting in results.settings(timed=True):
        ms = results.milliseconds(setting, "Xplique")(passes)
        counts = [results.passes_in(setting, side, ms) for side in COLOURS]
        for metric, name in METRICS.items():
            found = [
                results.at(setting, side, n, metric)
                for side, n in zip(COLOURS, counts, strict=True)
            ]
            lines.append([*setting, f"{ms:,.0f}", name, *found])
    return _markdown(("network", "pixels", "sigma", "ms", "", *COLOURS), lines)


def for_equal_error(results: Results, samples: int) -> str:
    """Return a table of the time for the error of so many samples."""
    lines = []
    for setting in results.settings(timed=True):
        slow = results.milliseconds(setting, "Xplique")(samples)
        n = results.passes_for(
            setting, "hybrid", results.at(setting, "sampled", samples)
        )
        fast = results.milliseconds(setting, "hybrid")(n)
        lines.append(
            [*setting, f"{n:.0f}", f"{fast:,.0f}", f"{slow:,.0f}", fast / slow]
        )
    head = "network", "pixels", "sigma", "passes", "ms", "Xplique, ms", "of its time"
    return _markdown(head, lines)


def costs(results: Results) -> str:
    """Return a table of milliseconds and peak memory, where all sides have them."""
    keys = dict.fromkeys((x["network"], x["pixels"], x["n"]) for x in results.times)
    lines = []
    for key in keys:
        rows = {
            x["side"]: x
            for x in results.times
            if (x["network"], x["pixels"], x["n"]) == key
        }
        if len(rows) < len(COLOURS):
            continue
        plain = rows["sampled"]["ms"]
        ms = [f"{x['ms']:,.0f} ({x['ms'] / plain:.2f} x)" for x in rows.values()]
        peaks = " / ".join(f"{x['peak_mib']:,}" for x in rows.values())
        lines.append([*key, *ms, peaks])
    head = "network", "pixels", "passes", *COLOURS, "MiB"
    return _markdown(head, lines)


def _markdown(head: Sequence[str], lines: list[list]) -> str:
    texts = [[f"{x:.3g}" if isinstance(x, float) else str(x) for x in y] for y in lines]
    rows = [head, ["---"] * len(head), *texts]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
