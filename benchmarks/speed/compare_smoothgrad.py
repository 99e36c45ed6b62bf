"""How fast is SmoothGrad, side by side with the bare loop and with other packages?

    python benchmarks/compare.py [--models MobileNetV2 FILE.keras ...] [--images 1 8]
        [--peers PATH_TO_PYTHON] [--rounds 3] [--save benchmarks/results/cpu.json]

Each side (see sides.py) runs in a process of its own. The sides of a group are built
first and then take turns, one at a time, so that a busy machine hurts none of them; the
best of the rounds counts. "ours, TensorFlow" is in every group: ratios are to it.
Run it with nothing else running. The other packages live in an environment of their
own (`make benchmark` makes it); without one they are left out.
"""

import argparse
import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import method_sides
import sides as own_sides

HERE = Path(__file__).parent
PEERS = (*own_sides.PEERS, *method_sides.PEERS)
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

#: Sides that take so long that they run once in a comparison, after their first run.
SLOW = ("PAIR saliency", "tf-keras-vis", "seed page, XLA", "ours, JAX unlowered")


class Side:
    """A worker process that waits for its turn."""

    def __init__(self, name: str, python: str, work: dict[str, Any]):
        self.name, self.best, self.first, self.peak = name, float("inf"), 0.0, 0.0
        command = [python, str(HERE / "worker.py"), json.dumps(work | {"side": name})]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as it.
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.first = self._answer().get("first", 0.0)

    def run(self) -> None:
        """Let it explain once."""
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


def compare(names: Any, pythons: dict[str, str], work: dict, rounds: int) -> list[dict]:
    """Return one row for each side that could be built."""
    sides = []
    for name in names:
        python = pythons.get("peers" if name in PEERS else "ours")
        if python is None:
            continue
        try:
            sides.append(Side(name, python, work))
        except RuntimeError as error:
            print(error, file=sys.stderr)
    for turn in range(rounds):
        for side in sides:
            if turn == 0 or side.name not in SLOW:
                side.run()
    for side in sides:
        side.stop()
    each = work["images"] * work["repetitions"] / 1000
    reference = sides[0].best
    return [
        {
            "model": Path(work["model"]).stem,
            "images": work["images"],
            "side": side.name,
            "ms": side.best / each,
            "ratio": side.best / reference,
            "first_s": side.first,
            "peak_mib": side.peak,
        }
        for side in sides
    ]


def show(row: dict[str, Any]) -> str:
    """Return a row of the table as text."""
    return (
        f"{row['model']:14s} {row['images']:2d}  {row['side']:27s} {row['ms']:8.2f} ms"
        f"  {row['ratio']:6.2f} x  first {row['first_s']:5.1f} s"
        f"  {row['peak_mib']:6.0f} MiB"
    )


def machine() -> dict[str, str]:
    """Return what the numbers depend on."""
    cpus = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    names = ("keras", "tensorflow", "jax", "torch")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {"cpu": f"{len(cpus)} x {cpus[0]}", "system": platform.platform()} | versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--images", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--repetitions", type=int, default=16)
    parser.add_argument("--pixels", type=int, default=224, help="of a side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="rows at once, for every side")
    parser.add_argument("--sides", nargs="+", help="only these, as one group")
    parser.add_argument("--peers", help="Python with the other packages")
    parser.add_argument("--save", type=Path, help="add to this JSON file")
    args = parser.parse_args()
    pythons = {"ours": sys.executable} | ({"peers": args.peers} if args.peers else {})
    groups = {"asked": args.sides} if args.sides else GROUPS
    for model in args.models:
        for images in args.images:
            work = {"model": model, "images": images, "rows": args.rows}
            work |= {"repetitions": args.repetitions, "pixels": args.pixels}
            for group, sides in groups.items():
                rows = compare(sides, pythons, work, args.rounds)
                print(*map(show, rows), "", sep="\n", flush=True)
                if args.save:
                    save(args.save, [{"group": group} | row for row in rows])


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    """Put the rows into the file, in the place of older ones of the same group."""
    kept = json.loads(path.read_text())["rows"] if path.exists() else []

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["model"], row["images"], row["group"]

    new = {key(row) for row in rows}
    kept = [row for row in kept if key(row) not in new]
    text = json.dumps({"machine": machine(), "rows": kept + rows}, indent=1)
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
