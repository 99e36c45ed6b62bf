"""One side in a process of its own: builds it, then runs it once for each line read.

    python worker.py '{"side": "ours, JAX", "model": "MobileNetV2", ...}'

Every answer is one line of JSON on what was standard output; whatever else is printed
goes to standard error.
"""

import json
import os
import resource
import sys
import time

from sides import Work, build


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    settings = json.loads(sys.argv[1])
    run = build(settings.pop("side"), Work(**settings))
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
