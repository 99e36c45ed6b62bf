"""Are the derivatives of all of Keras' functions and layers true, on each backend?

    python -m benchmarks.derivatives [--out FOLDER] [--page FILE]
        [--backends tensorflow jax torch] [--names PART ...] [--reuse]
        [--other-release FOLDER]

Every backend runs in a process of its own and writes FOLDER/BACKEND.json. The page is
a table of these results. See `one_backend.py` for what is measured, and `table.py` for
what is shown. The page also lists what another release of Keras computes differently,
if `--other-release` has the results of a run with it, in an environment of its own.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.derivatives.releases import section
from benchmarks.derivatives.table import TITLES, page


def main() -> None:
    arguments = _arguments()
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for backend in arguments.backends:
        path = folder / f"{backend}.json"
        if not (arguments.reuse and path.exists()):
            _run(backend, path, arguments.names)
        results[backend] = json.loads(path.read_text("utf-8"))
    other = arguments.other_release
    text = page(results, section(results, _read(other)) if other else "")
    if arguments.page:
        Path(arguments.page).write_text(text, "utf-8")
    else:
        print(text)


def _read(folder: str) -> dict[str, Any]:
    """Return the results of those backends that a folder has."""
    paths = {backend: Path(folder) / f"{backend}.json" for backend in TITLES}
    return {b: json.loads(p.read_text("utf-8")) for b, p in paths.items() if p.exists()}


def _run(backend: str, path: Path, names: list[str]) -> None:
    """Run the bank on a backend; its progress is shown."""
    print(TITLES[backend], file=sys.stderr)
    module = "benchmarks.derivatives.one_backend"
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-m", module, str(path), *names]
    subprocess.run(command, env=environment, check=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default="build/derivatives")
    parser.add_argument("--page", help="the page to write; printed by default")
    parser.add_argument("--backends", nargs="+", default=[*TITLES], choices=TITLES)
    parser.add_argument("--names", nargs="+", default=[], help="parts of names")
    parser.add_argument("--reuse", action="store_true", help="keep existing files")
    parser.add_argument("--other-release", help="a folder of another run's results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
