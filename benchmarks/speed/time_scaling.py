"""How does the time grow with the number of repetitions, images, units and pixels?

    python -m benchmarks.speed.time_scaling [--model MobileNetV2] [--rounds 3]

Each sweep varies one quantity; the best of several rounds counts. The time should grow
with the work (copies x pixels), but more slowly with the units, because all units share
the forward pass.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.speed.smoothgrad_implementations import ours
from benchmarks.speed.workload import Workload

SWEEPS = {
    "repetitions": (8, 16, 32, 64),
    "images": (1, 2, 4, 8),
    "units": (1, 2, 5, 10),
    "pixels": (128, 192, 256),
}


def sweep(work: Workload, name: str, rounds: int) -> dict[int, float]:
    """Return the seconds taken for each value of the quantity."""
    runs = {value: ours(replace(work, **{name: value})) for value in SWEEPS[name]}
    return {value: best_time(run, rounds) for value, run in runs.items()}


def best_time(run: Callable[[], Any], rounds: int) -> float:
    """Return the seconds of the fastest of several runs, after one that compiles."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="MobileNetV2")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    work = Workload(args.model, images=1, repetitions=16)
    for name in SWEEPS:
        times = sweep(work, name, args.rounds)
        first = min(times)
        for value, seconds in times.items():
            growth = (value / first) ** (2 if name == "pixels" else 1)
            print(
                f"{name:12s} {value:4d}  {seconds:7.3f} s   work {growth:5.2f} x"
                f"   time {seconds / times[first]:5.2f} x",
                flush=True,
            )


if __name__ == "__main__":
    main()
