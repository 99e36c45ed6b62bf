"""What several backends say of the same calls."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

#: Verdicts that are faults, as a true derivative exists or none is reported.
FAULTS = ("none", "wrong", "NaN")

#: Derivatives and values that differ by no more than this part are the same.
TOLERANCE = 2e-3

Record = dict[str, Any]


class Row(NamedTuple):
    """One call at one point.

    Attributes:
        name: The call.
        point: The point.
        records: The record of each backend that ran the call.
        corrected: Those with the package's corrections, where there are any.
    """

    name: str
    point: str
    records: dict[str, Record]
    corrected: dict[str, Record]

    def faults(self) -> dict[str, str]:
        """Return the verdict of each backend that is at fault."""
        found = {b: record["verdict"] for b, record in self.records.items()}
        return {b: verdict for b, verdict in found.items() if verdict in FAULTS}

    def derivatives_differ(self) -> bool:
        """Return whether backends have other derivatives of the same values."""
        return not self.values_differ() and _derivatives_differ(self.records)

    def values_differ(self) -> bool:
        """Return whether the function itself is another one on some backend."""
        return _differ(self.records.values(), "values")

    def corrections_differ(self) -> bool:
        """Return whether backends still differ, or are at fault, once corrected."""
        records = self.records | self.corrected
        faults = any(x["verdict"] in FAULTS for x in records.values())
        return faults or _derivatives_differ(records)


def rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """Yield a row for each call and point that some backend ran, in its order."""
    found: dict[tuple[str, str], Row] = {}
    for backend, result in results.items():
        for record in result["records"]:
            key = record["name"], record["point"]
            row = found.setdefault(key, Row(*key, {}, {}))
            side = row.corrected if record.get("corrected") else row.records
            side[backend] = record
    yield from found.values()


def _derivatives_differ(records: Mapping[str, Record]) -> bool:
    """Return whether derivatives differ where the function is defined on every one."""
    found = [x for x in records.values() if "derivatives" in x]
    lengths = {len(x["derivatives"]) for x in found}
    if len(lengths) > 1:
        return False
    used = [_is_defined(found, entry) for entry in range(*lengths or {0})]
    chosen = [
        x
        | {
            "derivatives": [
                d for d, use in zip(x["derivatives"], used, strict=True) if use
            ]
        }
        for x in found
    ]
    return _differ(chosen, "derivatives")


def _is_defined(records: Sequence[Record], entry: int) -> bool:
    """Return whether the function is defined beside an entry, on every backend."""
    sides = [(x["left"][entry], x["right"][entry]) for x in records]
    return bool(np.isfinite(sides).any(axis=1).all()) and not any(
        x["verdicts"][entry] == "outside" for x in records
    )


def _differ(records: Any, key: str) -> bool:
    """Return whether numbers differ among records of calls of the same shapes."""
    comparable = [record for record in records if key in record]
    first, *others = comparable or [{}]
    return any(
        record["shapes"] == first["shapes"]
        and not same_numbers(record[key], first[key])
        for record in others
    )


def same_numbers(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether numbers are the same up to rounding."""
    if len(one) != len(other):
        return False
    size = np.nanmax(np.abs([x for x in [*one, *other] if np.isfinite(x)] or [0]))
    return bool(
        np.allclose(one, other, TOLERANCE, 1e-3 * TOLERANCE * size + 1e-7, True)
    )
