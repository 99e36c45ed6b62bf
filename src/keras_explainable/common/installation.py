"""Finding an installed Keras and its backend without importing either."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

SUPPORTED = ("tensorflow", "jax", "torch")


def check() -> None:
    """Raise ImportError, with instructions, if Keras or its backend is missing."""
    backend = chosen_backend()
    if backend not in SUPPORTED:
        raise ImportError(
            "The Keras backend must be tensorflow, jax or torch for keras_explainable; "
            f"received {backend!r} (see the environment variable KERAS_BACKEND)."
        )
    for name in ("keras", backend):
        if find_spec(name) is None:
            raise ImportError(
                "keras_explainable needs Keras with a backend: install one with `pip "
                'install "keras-explainable[tensorflow]"` (or [jax], or [torch]), and '
                "choose it with the environment variable KERAS_BACKEND if it is not "
                f"tensorflow (chosen: {backend}; missing: {name})."
            )


def chosen_backend() -> str:
    """Return the backend that Keras will load.

    The environment variable comes first, then Keras' settings file, then the default.
    """
    home = Path(os.environ.get("KERAS_HOME", Path("~/.keras").expanduser()))
    try:
        settings = json.loads((home / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    configured = settings.get("backend") or "tensorflow"
    return os.environ.get("KERAS_BACKEND") or str(configured)
