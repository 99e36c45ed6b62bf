"""How fast are metrics of maps, compared with other packages?

    python -m benchmarks.speed.compare_metrics --peers PATH_TO_PYTHON
        [--models MobileNetV2 ResNet50V2] [--images 8] [--rounds 2]
        [--metrics deletion ROAD ...]

The implementations of a metric take turns, as in `compare_smoothgrad.py`: with PyTorch
beside Quantus, and with TensorFlow beside Xplique. Times are in milliseconds per image,
and ratios are to this package. `metric_implementations.py` states how many rows the
model computes on either side.
"""

import argparse

from benchmarks.speed.interleaved_timing import print_rows, time_in_turns
from benchmarks.speed.metric_implementations import IMPLEMENTATIONS

METRICS = tuple(dict.fromkeys(name.split(",")[0] for name in IMPLEMENTATIONS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["MobileNetV2", "ResNet50V2"])
    parser.add_argument("--metrics", nargs="+", default=METRICS, choices=METRICS)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peers", help="Python that has the other packages")
    args = parser.parse_args()
    for model in args.models:
        work = {"model": model, "images": args.images, "repetitions": 1}
        for metric in args.metrics:
            names = [x for x in IMPLEMENTATIONS if x.startswith(f"{metric},")]
            print_rows(time_in_turns(names, args.peers, work, args.rounds))


if __name__ == "__main__":
    main()
