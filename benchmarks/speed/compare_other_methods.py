"""How fast are Score-CAM, occlusion and RISE, compared with other packages?

    python -m benchmarks.speed.compare_other_methods --peers PATH_TO_PYTHON
        [--models MobileNetV2 ...] [--images 1] [--rounds 3]

The implementations of a method take turns, as in `compare_smoothgrad.py`. Times are in
milliseconds per image, and ratios are to this package on TensorFlow.
"""

import argparse

from benchmarks.speed.interleaved_timing import print_rows, time_in_turns
from benchmarks.speed.other_method_implementations import IMPLEMENTATIONS

METHODS = ("Score-CAM", "occlusion", "RISE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["MobileNetV2"])
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", help="Python that has the other packages")
    args = parser.parse_args()
    for model in args.models:
        work = {"model": model, "images": args.images, "repetitions": 1}
        for method in METHODS:
            names = [name for name in IMPLEMENTATIONS if name.startswith(method)]
            print_rows(time_in_turns(names, args.peers, work, args.rounds))


if __name__ == "__main__":
    main()
