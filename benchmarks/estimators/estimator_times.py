"""How long do the estimators of SmoothGrad take for one image, compared with Xplique?

    python -m benchmarks.estimators.estimator_times --data PATH_TO_FOLDER
        [--networks demo ...] [--peers PATH_TO_PYTHON] [--save FILE]

`accuracy/trained_networks.py` describes the folder. The implementations run on
KERAS_BACKEND and take turns, as in `speed/compare_smoothgrad.py`; --peers is the Python
that has Xplique. Run nothing else on the machine meanwhile.
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.accuracy.trained_networks import print_setting
from benchmarks.estimators.evaluated_networks import (
    evaluated_networks,
    parser,
    print_and_save,
)
from benchmarks.speed.interleaved_timing import time_in_turns

IMPLEMENTATIONS = ("ours, sampled", "ours, slopes", "ours, hybrid", "Xplique")


def rows(args):
    """Yield the milliseconds and MiB of each network, n and implementation."""
    with tempfile.TemporaryDirectory() as folder:
        for name, model, x, _ in evaluated_networks(args):
            model.save(path := str(Path(folder) / f"{name}.keras"))
            work = {"model": path, "images": 1, "rows": None, "pixels": x.shape[1]}
            work |= {"classes": model.output_shape[-1]}
            for n in args.repetitions:
                work["repetitions"] = n
                for row in time_in_turns(
                    IMPLEMENTATIONS, args.peers, work, args.rounds
                ):
                    yield {
                        "network": name,
                        "pixels": x.shape[1],
                        "side": row["side"],
                        "n": n,
                        "ms": round(row["ms"] * n, 1),
                        "peak_mib": round(row["peak_mib"]),
                    }


def main():
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peers", help="Python that has Xplique")
    args = options.parse_args()
    print_setting(args.data, args.photos)
    print_and_save(rows(args), args.save)


if __name__ == "__main__":
    main()
