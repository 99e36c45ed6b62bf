"""How does time grow with repetitions, images, units and image size?

    python benchmarks/growth.py [--model MobileNetV2] [--rounds 3]

Each row doubles one quantity; the best of several rounds counts, taken in turn. Time
should grow with the work (copies x pixels), and slower than the work with the units,
which share the forward pass.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from sides import Work, ours

SWEEPS = {
    "repetitions": (8, 16, 32, 64),
    "images": (1, 2, 4, 8),
    "units": (1, 2, 5, 10),
    "side": (128, 192, 256),
}


def sweep(work: Work, name: str, rounds: int) -> Iterator[tuple[int, float]]:
    """Yield each value of the quantity, and the seconds it took."""
    runs = {value: ours(replace(work, **{name: value})) for value in SWEEPS[name]}
    times = {value: best(run, rounds) for value, run in runs.items()}
    yield from times.items()


def best(run: Callable[[], Any], rounds: int) -> float:
    """Return the fewest seconds of several runs, after one that compiles."""
    run()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="MobileNetV2")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    work = Work(args.model, images=1, repetitions=16)
    for name in SWEEPS:
        base = None
        for value, seconds in sweep(work, name, args.rounds):
            base = base or (value, seconds)
            more = (value / base[0]) ** (2 if name == "side" else 1)
            print(
                f"{name:12s} {value:4d}  {seconds:7.3f} s   work {more:5.2f} x"
                f"   time {seconds / base[1]:5.2f} x",
                flush=True,
            )


if __name__ == "__main__":
    main()
