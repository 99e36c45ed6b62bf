"""Importing packages that are installed only with an extra."""

import importlib
from typing import Any

_NAMES = {"PIL": "Pillow", "ray": "Ray", "scipy": "SciPy"}


def require(module: str, extra: str = "plot") -> Any:
    """Return an optional module; if it is missing, raise an error that names it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise ImportError(
            f"This function needs {_NAMES.get(name, name)}, which is not installed: "
            f'pip install "keras-explainable[{extra}]"'
        ) from error
