"""What another release of Keras, such as a nightly one, computes differently."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.derivatives.merge import Record, Row, rows, same_numbers
from benchmarks.derivatives.table import TITLES, described, versions_of

Results = Mapping[str, Mapping[str, Any]]

#: One line of the table: the operation, the backend, and what both releases have.
Line = tuple[str, str, str, str, str]


def section(results: Results, others: Results) -> str:
    """Return a section of the page, in Markdown.

    Args:
        results: Of each backend, with the release that the page is about.
        others: Of each backend, with the other release.
    """
    merged: dict[Line, list[str]] = {}
    for line, point in _differences(results, others):
        merged.setdefault(line, []).append(point)
    lines = [
        f"| `{name}` | {', '.join(at)} | {backend} | {before} | {after} | {corrected} |"
        for (name, backend, before, after, corrected), at in merged.items()
    ]
    return f"""\
## Another release of Keras

The bank was also run with {versions_of(others)}.
These are the calls whose derivatives are not the same. A new name is listed if its
derivative is not true.

| Operation | At | Backend | {_keras(results)} | {_keras(others)} | Corrected |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(lines or ["| none | | | | | |"])}

Not called, as the bank has no arguments for them: {_uncovered(results, others)}.
"""


def _differences(results: Results, others: Results) -> Iterator[tuple[Line, str]]:
    known = {(row.name, row.point): row for row in rows(results)}
    for row in rows(others):
        before = known.get((row.name, row.point))
        for backend, record in row.records.items():
            old = before.records.get(backend) if before else None
            if _is_the_same(old, record):
                continue
            cells = described(old) if old else "not there", described(record)
            yield (row.name, TITLES[backend], *cells, _corrected(row)), row.point


def _is_the_same(old: Record | None, new: Record) -> bool:
    """Return whether the verdicts are the same, and at kinks the derivatives."""
    if old is None:
        return new["verdict"] in ("true", "outside", "error")
    if old["verdict"] != new["verdict"]:
        return False
    return new["verdict"] in ("true", "outside", "error") or same_numbers(
        old["derivatives"], new["derivatives"]
    )


def _corrected(row: Row) -> str:
    return "no" if row.corrections_differ() else "yes"


def _uncovered(results: Results, others: Results) -> str:
    before, after = ({*_missing(each)} for each in (results, others))
    return ", ".join(f"`{name}`" for name in sorted(after - before)) or "none"


def _missing(results: Results) -> Iterator[str]:
    for result in results.values():
        entries = result["uncovered"]
        yield from (x["name"] for x in entries if x["is_differentiable"])


def _keras(results: Results) -> str:
    """Return the version of Keras."""
    first, *_ = results.values()
    return str(first["versions"]["keras"])
