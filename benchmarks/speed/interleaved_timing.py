"""Time implementations side by side, each in a process of its own.

All processes build their model and compile first. Then they take turns, one at a time,
so that other work on the machine slows all of them down alike.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.speed import (
    metric_implementations,
    other_method_implementations,
    smoothgrad_implementations,
)

PEERS = (
    *smoothgrad_implementations.PEERS,
    *other_method_implementations.PEERS,
    *metric_implementations.PEERS,
)

#: Implementations so slow that they run in the first round only.
SLOW = ("PAIR saliency", "tf-keras-vis", "seed page, XLA", "ours, JAX unlowered")


class TimedProcess:
    """A process that holds one implementation and waits for its turn."""

    def __init__(self, name: str, python: str, work: dict[str, Any]):
        self.name, self.best, self.peak = name, float("inf"), 0.0
        settings = json.dumps(work | {"implementation": name})
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as self.
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.speed.timed_worker", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.first = self._answer()["first"]

    def run(self) -> None:
        """Let the implementation explain once."""
        print("go", file=self.process.stdin, flush=True)
        answer = self._answer()
        self.best = min(self.best, answer["seconds"])
        self.peak = answer["peak_mib"]

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            last = self.log.read().strip().splitlines()[-1:]
            raise RuntimeError(f"{self.name}: {''.join(last)}")
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def time_in_turns(
    names: Iterable[str], peers: str | None, work: dict[str, Any], rounds: int
) -> list[dict[str, Any]]:
    """Return a row of measurements for each implementation that could be built.

    Args:
        names: Names of the implementations; ratios are to the first one.
        peers: Path of the Python that has the other packages; None skips them.
        work: Fields of the ``Workload``.
        rounds: Number of turns; the best one counts.
    """
    processes = list(_started(names, peers, work))
    for turn in range(rounds):
        for process in processes:
            if turn == 0 or process.name not in SLOW:
                process.run()
    for process in processes:
        process.stop()
    return [_row(process, processes[0], work) for process in processes]


def _started(
    names: Iterable[str], peers: str | None, work: dict[str, Any]
) -> Iterable[TimedProcess]:
    for name in names:
        python = peers if name in PEERS else sys.executable
        if python is None:
            continue
        try:
            yield TimedProcess(name, python, work)
        except RuntimeError as error:
            print(error, file=sys.stderr)


def _row(
    process: TimedProcess, reference: TimedProcess, work: dict[str, Any]
) -> dict[str, Any]:
    return {
        "model": Path(work["model"]).stem,
        "images": work["images"],
        "side": process.name,
        "ms": process.best / (work["images"] * work["repetitions"] / 1000),
        "ratio": process.best / reference.best,
        "first_s": process.first,
        "peak_mib": process.peak,
    }


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print the rows of one comparison, and an empty line after them."""
    for row in rows:
        print(
            f"{row['model']:14s} {row['images']:2d}  {row['side']:27s}"
            f" {row['ms']:8.2f} ms  {row['ratio']:6.2f} x"
            f"  first {row['first_s']:5.1f} s  {row['peak_mib']:6.0f} MiB"
        )
    print(flush=True)
