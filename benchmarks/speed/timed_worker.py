"""Build one implementation, then run it once for each line on standard input.

    python -m benchmarks.speed.timed_worker '{"implementation": "ours, JAX", ...}'

`interleaved_timing.py` starts this script. Each answer is one line of JSON on standard
output; everything else that is printed goes to standard error.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.speed import (
    metric_implementations,
    other_method_implementations,
    smoothgrad_implementations,
)
from benchmarks.speed.workload import Workload

IMPLEMENTATIONS = (
    smoothgrad_implementations.IMPLEMENTATIONS
    | other_method_implementations.IMPLEMENTATIONS
    | metric_implementations.IMPLEMENTATIONS
)


def build(name: str, work: Workload) -> Callable[[], Any]:
    """Return the function that explains once; its framework has been imported."""
    backend, make = IMPLEMENTATIONS[name]
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return make(work)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    settings = json.loads(sys.argv[1])
    run = build(settings.pop("implementation"), Workload(**settings))
    start = time.perf_counter()
    run()
    print(json.dumps({"first": time.perf_counter() - start}), file=answers)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak_mib": peak}), file=answers)


if __name__ == "__main__":
    main()
