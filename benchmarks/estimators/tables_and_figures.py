"""Tables and figures of the measured errors and times, for the documentation."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter
from scipy.interpolate import BSpline, make_interp_spline

#: The colour of each implementation.
COLOURS = {
    "sampled": "#888",
    "slopes": "#d1495b",
    "hybrid": "#30638e",
    "Xplique": "#edae49",
}

#: The implementations whose errors were measured.
ESTIMATORS = ("sampled", "slopes", "hybrid")
METRICS = {
    "squared": "squared error",
    "cosine": "cosine",
    "ssim": "SSIM",
    "ranks": "rank correlation",
}

#: Network, pixels (height and width), sigma.
Setting = tuple[str, int, float]


class Results:
    """The measured errors and times as functions of the number of passes.

    Args:
        folder: Folder with slopes.json and slopes_times.json, which
            `estimator_errors.py` and `estimator_times.py` wrote.
    """

    def __init__(self, folder: Path):
        self.rows, self.times = (
            json.loads((folder / name).read_text())
            for name in ("slopes.json", "slopes_times.json")
        )
        for row in self.times:
            row["side"] = row["side"].removeprefix("ours, ")

    def settings(self, timed: bool = False) -> list[Setting]:
        """Return the measured settings; if ``timed``, only those with times."""
        found = dict.fromkeys(
            (row["network"], row["pixels"], row["sigma"]) for row in self.rows
        )
        known = {(row["network"], row["pixels"]) for row in self.times}
        return [each for each in found if each[:2] in known or not timed]

    def curve(self, setting: Setting, name: str, metric: str = "squared") -> tuple:
        """Return the numbers of passes and the metric after each.

        Xplique has the metrics of plain sampling, because it samples in the same way.
        """
        estimator = "sampled" if name == "Xplique" else name
        wanted = (*setting, estimator)
        keys = "network", "pixels", "sigma", "estimator"
        rows = [row for row in self.rows if tuple(row[key] for key in keys) == wanted]
        return tuple(np.array([row[key] for row in rows]) for key in ("n", metric))

    def milliseconds(self, setting: Setting, name: str) -> BSpline:
        """Return the time for one image as a piecewise linear function of passes."""
        return make_interp_spline(*self._measured_times(setting, name), k=1)

    def passes_in(self, setting: Setting, name: str, ms: float) -> float:
        """Return how many passes the implementation makes in the given time."""
        n, times = self._measured_times(setting, name)
        return float(make_interp_spline(times, n, k=1)(ms))

    def _measured_times(self, setting: Setting, name: str) -> tuple[list, list]:
        wanted = (*setting[:2], name)
        rows = [
            row
            for row in self.times
            if (row["network"], row["pixels"], row["side"]) == wanted
        ]
        return [row["n"] for row in rows], [row["ms"] for row in rows]

    def at(self, setting: Setting, name: str, n: float, metric: str = "squared"):
        """Return the metric after n passes, interpolated between measurements."""
        passes, values = self.curve(setting, name, metric)
        if metric == "squared":
            return np.exp(np.interp(np.log(n), np.log(passes), np.log(values)))
        return np.interp(np.log(n), np.log(passes), values)

    def passes_for(self, setting: Setting, name: str, squared_error: float) -> float:
        """Return how many passes have the given squared error."""
        passes, values = self.curve(setting, name)
        falling = np.log(values)[::-1], np.log(passes)[::-1]
        return float(np.exp(np.interp(np.log(squared_error), *falling)))


def plot_errors(results: Results, by_time: bool = False) -> None:
    """Plot squared errors by passes or by milliseconds, one panel for each setting."""
    settings = results.settings(timed=by_time)
    networks, sigmas = (
        [*dict.fromkeys(setting[part] for setting in settings)]
        for part in (slice(2), 2)
    )
    shape = {"figsize": (8, 0.5 + 1.9 * len(networks)), "layout": "constrained"}
    figure, axes = plt.subplots(
        len(networks), len(sigmas), sharey="row", squeeze=False, **shape
    )
    for axis, (network, sigma) in zip(
        axes.ravel(), itertools.product(networks, sigmas), strict=True
    ):
        if (setting := (*network, sigma)) in settings:
            _plot_setting(axis, results, setting, by_time)
        else:
            axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("squared error")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    plt.show()


def _plot_setting(axis: Any, results: Results, setting: Setting, by_time: bool) -> None:
    for name in COLOURS if by_time else ESTIMATORS:
        n, squared = results.curve(setting, name)
        x = results.milliseconds(setting, name)(n) if by_time else n
        axis.loglog(x, squared, ".-", color=COLOURS[name], label=name)
    axis.set_title("{}, {} px, sigma {:g}".format(*setting), fontsize=8)
    axis.set_xlabel("ms" if by_time else "passes")
    axis.xaxis.set_minor_formatter(NullFormatter())


def errors_by_passes(results: Results, passes: tuple[int, ...]) -> str:
    """Return a Markdown table of the squared errors after some numbers of passes."""
    rows = []
    for setting in results.settings():
        for n in passes:
            errors = [results.at(setting, name, n) for name in ESTIMATORS]
            estimated = results.at(setting, "hybrid", n, "says")
            samples = results.at(setting, "hybrid", n, "plain")
            ratio = estimated / errors[-1]
            rows.append([*setting, n, *errors, ratio, f"{samples:,.0f}"])
    ends = "estimated / actual", "samples"
    return _markdown(("network", "pixels", "sigma", "passes", *ESTIMATORS, *ends), rows)


def equivalent_samples(results: Results, passes: tuple[int, ...]) -> str:
    """Return a Markdown table of the samples with the error of so many passes."""
    rows = []
    for setting in results.settings():
        squared = results.curve(setting, "hybrid")[1]
        ratio = results.curve(setting, "hybrid", "says")[1][1:] / squared[1:]
        samples = [
            " / ".join(
                f"{results.at(setting, name, n, 'plain'):,.0f}"
                for name in ("slopes", "hybrid")
            )
            for n in passes
        ]
        rows.append([*setting, *samples, f"{ratio.min():.2f} to {ratio.max():.2f}"])
    head = "network", "pixels", "sigma", *map(str, passes), "estimated / actual"
    return _markdown(head, rows)


def errors_at_equal_time(results: Results, passes: int) -> str:
    """Return a Markdown table of all metrics in the time of Xplique's passes."""
    rows = []
    for setting in results.settings(timed=True):
        ms = results.milliseconds(setting, "Xplique")(passes)
        counts = [results.passes_in(setting, name, ms) for name in COLOURS]
        for metric, title in METRICS.items():
            values = [
                results.at(setting, name, n, metric)
                for name, n in zip(COLOURS, counts, strict=True)
            ]
            rows.append([*setting, f"{ms:,.0f}", title, *values])
    return _markdown(("network", "pixels", "sigma", "ms", "metric", *COLOURS), rows)


def times_for_equal_error(results: Results, samples: int) -> str:
    """Return a Markdown table of the times for the error of so many samples."""
    rows = []
    for setting in results.settings(timed=True):
        slow = results.milliseconds(setting, "Xplique")(samples)
        n = results.passes_for(
            setting, "hybrid", results.at(setting, "sampled", samples)
        )
        fast = results.milliseconds(setting, "hybrid")(n)
        rows.append([*setting, f"{n:.0f}", f"{fast:,.0f}", f"{slow:,.0f}", fast / slow])
    head = "network", "pixels", "sigma", "passes", "ms", "Xplique, ms", "ratio"
    return _markdown(head, rows)


def times_and_memory(results: Results) -> str:
    """Return a Markdown table of times and peak memory, where all were measured."""
    keys = dict.fromkeys((x["network"], x["pixels"], x["n"]) for x in results.times)
    rows = []
    for key in keys:
        timed = {
            x["side"]: x
            for x in results.times
            if (x["network"], x["pixels"], x["n"]) == key
        }
        if len(timed) < len(COLOURS):
            continue
        plain = timed["sampled"]["ms"]
        ms = [f"{x['ms']:,.0f} ({x['ms'] / plain:.2f} x)" for x in timed.values()]
        peaks = " / ".join(f"{x['peak_mib']:,}" for x in timed.values())
        rows.append([*key, *ms, peaks])
    return _markdown(("network", "pixels", "passes", *COLOURS, "MiB"), rows)


def _markdown(head: Sequence[str], rows: list[list]) -> str:
    texts = [[f"{x:.3g}" if isinstance(x, float) else str(x) for x in y] for y in rows]
    lines = [head, ["---"] * len(head), *texts]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
