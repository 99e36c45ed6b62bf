"""How fast is SmoothGrad, compared with a bare loop and with other packages?

    python -m benchmarks.speed.compare_smoothgrad [--models MobileNetV2 FILE.keras ...]
        [--images 1 8] [--peers PATH_TO_PYTHON] [--rounds 3]
        [--save benchmarks/results/cpu.json]

The implementations of a group take turns, each in a process of its own, and the best
round counts. "ours, TensorFlow" is in every group, because ratios are to it.
Run nothing else on the machine meanwhile. The other packages have an environment of
their own, which `make benchmark` creates; without --peers they are left out.
"""

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from benchmarks.speed.interleaved_timing import print_rows, time_in_turns

REFERENCE = "ours, TensorFlow"
GROUPS = {
    "TensorFlow": (
        REFERENCE,
        "bare loop, TensorFlow",
        "ours, TensorFlow bfloat16",
        "ours, TensorFlow unlowered",
        "Xplique",
        "tf-keras-vis",
        "PAIR saliency",
        "seed page, XLA",
    ),
    "torch": (
        REFERENCE,
        "ours, torch",
        "bare loop, torch",
        "ours, torch bfloat16",
        "ours, torch unlowered",
        "Captum",
    ),
    "JAX": (REFERENCE, "ours, JAX", "bare loop, JAX", "ours, JAX unlowered"),
}
MODELS = (
    "MobileNetV2",
    "ResNet50V2",
    "Xception",
    "EfficientNetB0",
    "VGG16",
    "ConvNeXtTiny",
)


def machine() -> dict[str, str]:
    """Return the processor, the system and the versions that the numbers depend on."""
    cpus = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    names = ("keras", "tensorflow", "jax", "torch")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {"cpu": f"{len(cpus)} x {cpus[0]}", "system": platform.platform()} | versions


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows to the file, in place of older rows of the same group."""
    old = json.loads(path.read_text())["rows"] if path.exists() else []

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["model"], row["images"], row["group"]

    new = {key(row) for row in rows}
    old = [row for row in old if key(row) not in new]
    text = json.dumps({"machine": machine(), "rows": old + rows}, indent=1)
    path.write_text(text + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", default=MODELS, help="keras.applications or .keras files"
    )
    parser.add_argument("--images", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repetitions", type=int, default=16)
    parser.add_argument("--pixels", type=int, default=224, help="height and width")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="most rows per step, for all packages")
    parser.add_argument("--implementations", nargs="+", help="only these, as one group")
    parser.add_argument("--peers", help="Python that has the other packages")
    parser.add_argument("--save", type=Path, help="JSON file to add the rows to")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    groups = {"asked": args.implementations} if args.implementations else GROUPS
    for model in args.models:
        for images in args.images:
            work = {"model": model, "images": images, "rows": args.rows}
            work |= {"repetitions": args.repetitions, "pixels": args.pixels}
            for group, names in groups.items():
                rows = time_in_turns(names, args.peers, work, args.rounds)
                print_rows(rows)
                if args.save:
                    save(args.save, [{"group": group} | row for row in rows])


if __name__ == "__main__":
    main()
