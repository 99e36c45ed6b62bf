"""The ``keras-explainable`` command. Nothing heavy is imported until it must be."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

_NEEDED = ("typer", "rich", "PIL", "matplotlib")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: what was typed after the command's name; ``None`` asks the system.

    Raises:
        SystemExit: always. 0 if all went well; 1 if images could not be explained; 2
            if the command made no sense; 130 if it was interrupted.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            'The command line needs more packages: pip install "keras-explainable[cli]"'
            f" (missing: {', '.join(missing)})."
        )
    # Backends greet everybody at length; an explicit setting of the user's wins.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras_explainable.cli.app import app

    app(None if arguments is None else list(arguments), prog_name="keras-explainable")
