"""The bank on the backend that ``KERAS_BACKEND`` chooses; writes a file of JSON.

    python -m benchmarks.derivatives.one_backend FILE [NAME ...]

Names, if any, are parts of the names of the functions and layers to be called.
"""

import importlib.metadata
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["JAX_ENABLE_X64"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # Threads delay small tensors.

import keras

from benchmarks.derivatives.calls import Uncovered, calls_of
from benchmarks.derivatives.compare import compared
from benchmarks.derivatives.corrected import corrected_function
from benchmarks.derivatives.namespaces import keras_namespaces, public_names

PACKAGES = ("keras-nightly", "tensorflow", "jax", "torch", "numpy")


def results(parts: list[str]) -> dict[str, Any]:
    """Return all records, and what is not covered."""
    names, aliases = public_names(keras_namespaces())
    chosen = {k: v for k, v in names.items() if not parts or any(p in k for p in parts)}
    records, uncovered = [], []
    for done, (name, value) in enumerate(chosen.items(), 1):
        print(f"\r{done}/{len(chosen)} {name:50s}", end="", file=sys.stderr, flush=True)
        for call in calls_of(name, value):
            if isinstance(call, Uncovered):
                uncovered.append(vars(call))
                continue
            records += compared(call)
            if corrected := corrected_function(call):
                more = compared(call, corrected)
                records += [record | {"corrected": True} for record in more]
    print(file=sys.stderr)
    return {
        "backend": keras.backend.backend(),
        "versions": versions(),
        "names": list(chosen),
        "aliases": aliases,
        "records": records,
        "uncovered": uncovered,
    }


def versions() -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {"keras": keras.__version__}  # Another one may hide the installed one.
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    path, *parts = sys.argv[1:]
    warnings.simplefilter("ignore")
    keras.config.set_floatx("float64")
    keras.utils.set_random_seed(0)
    Path(path).write_text(json.dumps(results(parts)), "utf-8")


if __name__ == "__main__":
    main()
