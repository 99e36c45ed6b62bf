"""The results as a page of the documentation."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from benchmarks.derivatives.merge import FAULTS, Record, Row, rows

TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}

Results = Mapping[str, Mapping[str, Any]]


def page(results: Results, appendix: str = "") -> str:
    """Return the page as Markdown, with another section at its end, if there is one."""
    found = list(rows(results))
    parts = [
        _head(results, found),
        _faults(results, found),
        _choices(results, found),
        _values(found),
        _refusals(found),
        _uncovered(results),
        *([appendix] if appendix else []),
    ]
    return "\n".join(parts)


def _head(results: Results, found: list[Row]) -> str:
    names = {tuple(result["names"]) for result in results.values()}
    partial = " Some names were run on some backends only." if len(names) > 1 else ""
    return f"""\
# Bank of derivatives

*Written by `make derivatives` (`benchmarks/derivatives`). Do not edit.{partial}*

Versions: {versions_of(results)}.

The bank calls every public function of `keras.ops` and `keras.activations` and every
layer of `keras.layers`, in float64, and compares the framework's derivatives with
differences of the values. The names are read from Keras, so that those of a new release
are covered, too. The inputs are

- **generic**: normal; and **small**: between 0.1 and 0.9;
- **zeros**: all 0; **half zeros**: generic, with zeros among them;
- **ties**: all 1;
- **ends**: -6, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 6, where functions have limits.

{_counts(results)}

The last column says whether `ke.explain` and its shortcuts correct it
([Derivatives](derivatives.md)): "yes" if the derivatives are then true, and the same on
all backends.
"""


def versions_of(results: Results) -> str:
    """Return the names and versions of packages."""
    versions: dict[str, str] = {}
    for result in results.values():
        versions |= result["versions"]
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _counts(results: Results) -> str:
    lines = [
        "| | " + " | ".join(TITLES[b] for b in results) + " |",
        "| --- |" + " --- |" * len(results),
    ]
    counted = [_count(result) for result in results.values()]
    for key in counted[0]:
        cells = " | ".join(str(count[key]) for count in counted)
        lines.append(f"| {key} | {cells} |")
    return "\n".join(lines)


def _count(result: Mapping[str, Any]) -> dict[str, int]:
    records = [x for x in result["records"] if not x.get("corrected")]
    verdicts: dict[str, set[str]] = {}
    for record in records:
        verdicts.setdefault(record["name"], set()).add(record["verdict"])
    points = Counter(record["verdict"] for record in records)
    not_covered = {x["name"] for x in result["uncovered"] if x["is_differentiable"]}
    other = {x["name"] for x in result["uncovered"] if not x["is_differentiable"]}
    fine = {"true", "outside"}
    return {
        "Names (without aliases)": len(result["names"]),
        "Aliases": result["aliases"],
        "Not differentiable": len(other),
        "Not covered": len(not_covered),
        "Calls (some names have several)": len(verdicts),
        "Calls with true derivatives at all points": sum(
            found <= fine for found in verdicts.values()
        ),
        "Calls at points": len(records),
        "there: true": points["true"],
        "there: a kink, tie, jump or infinite slope": points["kink"],
        "there: wrong": points["wrong"],
        "there: none, though the values change": points["none"],
        "there: NaN": points["NaN"],
        "there: refused with an error": points["error"],
    }


def _faults(results: Results, found: list[Row]) -> str:
    chosen = [row for row in found if row.faults()]
    title = """\
## Wrong derivatives

A derivative exists, or the values are finite, and a framework returns another number
("found, true"), none (zeros), or NaN.
"""
    return title + "\n" + _table(results, chosen, _fault_cell)


def _choices(results: Results, found: list[Row]) -> str:
    chosen = [row for row in found if not row.faults() and row.derivatives_differ()]
    title = """\
## Kinks, ties and infinite slopes where the backends differ

The number is the place of the derivative between the slopes to the left (0) and to the
right (1) of the input; where a slope is infinite, it is the derivative itself.
"""
    return title + "\n" + _table(results, chosen, _choice_cell)


def _values(found: list[Row]) -> str:
    names: dict[str, set[str]] = {}
    for row in found:
        if row.values_differ():
            names.setdefault(row.name, set()).add(row.point)
    lines = [f"- `{name}`: {', '.join(sorted(at))}" for name, at in names.items()]
    title = """\
## Functions that differ

The values themselves differ between backends, at these points. A derivative is that of
the backend's own function.
"""
    return title + "\n" + "\n".join(lines or ["None."]) + "\n"


def _refusals(found: list[Row]) -> str:
    points: dict[tuple[str, str, str, str], list[str]] = {}
    for row in found:
        for backend, record in row.records.items():
            if record["verdict"] == "error":
                message = _plain(record["message"].split("{{")[0])
                better = row.corrected.get(backend, record)["verdict"] != "error"
                end = "; corrected" if better else ""
                key = row.name, TITLES[backend], message, end
                points.setdefault(key, []).append(row.point)
    lines = [
        f"- `{name}`, {backend}, {', '.join(at)}: {message}{end}"
        for (name, backend, message, end), at in points.items()
    ]
    title = "## Refused\n\nThe function or its derivative raises an error.\n\n"
    return title + "\n".join(lines or ["None."]) + "\n"


def _uncovered(results: Results) -> str:
    parts = ["## Not covered\n"]
    for differentiable, title in ((True, "Not called"), (False, "Not differentiable")):
        reasons: dict[tuple[str, str], list[str]] = {}
        for backend, result in results.items():
            for entry in result["uncovered"]:
                if entry["is_differentiable"] is differentiable:
                    key = entry["name"], _plain(entry["reason"])
                    reasons.setdefault(key, []).append(TITLES[backend])
        lines = [
            f"- `{name}`{_where(on, results)}: {reason}"
            for (name, reason), on in reasons.items()
        ]
        parts.append("\n".join([f"{title}:\n", *(lines or ["- none"]), ""]))
    return "\n".join(parts)


def _where(on: list[str], results: Results) -> str:
    return "" if len(on) == len(results) else f" ({', '.join(on)})"


def _table(results: Results, chosen: Iterable[Row], cell: Any) -> str:
    """Return a table in which points with the same cells share a row."""
    merged: dict[tuple[str, ...], list[str]] = {}
    for row in chosen:
        cells = [cell(row, backend) for backend in results]
        solved = "no" if row.corrections_differ() else "yes"
        merged.setdefault((row.name, *cells, solved), []).append(row.point)
    head = ["Operation", "At", *(TITLES[b] for b in results), "Corrected"]
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for (name, *cells), at in merged.items():
        lines.append("| " + " | ".join([f"`{name}`", ", ".join(at), *cells]) + " |")
    return "\n".join(lines if merged else ["None."]) + "\n"


def _fault_cell(row: Row, backend: str) -> str:
    record = row.records.get(backend)
    if record is None or record["verdict"] not in FAULTS:
        return _choice_cell(row, backend)
    return described(record)


def described(record: Record) -> str:
    """Return what a record has, regardless of other backends."""
    if record["verdict"] == "kink":
        return _place(record, record["verdicts"].index("kink"))
    if record["verdict"] != "wrong":
        return str(record["verdict"])
    at = record["verdicts"].index("wrong")
    true = (record["left"][at] + record["right"][at]) / 2
    return f"**{record['derivatives'][at]:.3g}, {true:.3g}**"


def _choice_cell(row: Row, backend: str) -> str:
    record = row.records.get(backend)
    if record is None:
        return "not called"
    if record["verdict"] != "kink":
        return str(record["verdict"])
    return _place(record, _entry(row))


def _entry(row: Row) -> int:
    """Return the first kink at which backends differ, or the first of all."""
    kinks = [x for x in row.records.values() if x["verdict"] == "kink"]
    entries = [i for i, x in enumerate(kinks[0]["verdicts"]) if x == "kink"]
    for entry in entries:
        values = [x["derivatives"][entry] for x in kinks if entry < len(x["verdicts"])]
        if not np.allclose(values, values[0], 1e-2, 1e-5, equal_nan=True):
            return entry
    return entries[0]


def _place(record: Record, entry: int) -> str:
    if entry >= len(record["derivatives"]):
        return "kink"
    found, left, right = (record[k][entry] for k in ("derivatives", "left", "right"))
    if not np.isfinite([found, left, right]).all() or max(abs(left), abs(right)) > 1e3:
        return f"{found:.3g} (infinite)"
    if abs(right - left) < 1e-6:
        return "true"
    return f"{round((found - left) / (right - left), 2) + 0.0:g}"


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return "`" + text.replace("`", "'").replace("|", "/") + "`"
