"""Finding an installed Keras and its backend without importing either."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

SUPPORTED = ("tensorflow", "jax", "torch")


def prepare() -> None:
    """Choose the backend, and check that it is installed.

    The command checks this itself, as its help is shown without a backend.
    """
    choose_backend()
    program = (getattr(sys, "argv", None) or [""])[0]
    if not Path(program).name.startswith("keras-explainable"):
        check()


def choose_backend() -> None:
    """Set KERAS_BACKEND to the only backend that is installed.

    This is done only where Keras would load TensorFlow by default and it is missing.
    Its name in the settings file is no choice of the user's: Keras writes it by itself.
    """
    undecided = "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND")
    installed = _installed()
    if undecided and chosen_backend() == "tensorflow" and len(installed) == 1:
        os.environ["KERAS_BACKEND"] = installed[0]


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
            others = " or ".join(f"KERAS_BACKEND={each}" for each in _installed())
            choice = others or "KERAS_BACKEND if it is not tensorflow"
            raise ImportError(
                "keras_explainable needs Keras with a backend: install one with `pip "
                'install "keras-explainable[tensorflow]"` (or [jax], or [torch]), and '
                f"choose it with the environment variable {choice} "
                f"(chosen: {backend}; missing: {name})."
            )


def _installed() -> list[str]:
    return [name for name in SUPPORTED if find_spec(name) is not None]


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
