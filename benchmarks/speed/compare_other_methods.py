"""How fast are Score-CAM, occlusion and RISE, side by side with other packages?

    python benchmarks/methods.py --peers PATH_TO_PYTHON [--models MobileNetV2 ...]

As compare.py, in milliseconds for each image.
"""

import argparse
import sys

from compare import compare, show
from method_sides import SIDES

METHODS = ("Score-CAM", "occlusion", "RISE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["MobileNetV2"])
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", help="Python with the other packages")
    args = parser.parse_args()
    pythons = {"ours": sys.executable} | ({"peers": args.peers} if args.peers else {})
    for model in args.models:
        work = {"model": model, "images": args.images, "repetitions": 1}
        for method in METHODS:
            sides = [name for name in SIDES if name.startswith(method)]
            rows = compare(sides, pythons, work, args.rounds)
            print(*map(show, rows), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
