"""The ``keras-explainable`` command.

In come the command's arguments: paths of images, a model and settings. Out go a report
in a folder, one line per image on stdout, and an exit code; progress, warnings and
errors go to stderr. The command uses the library as any user would: it knows nothing
of how a method computes its maps or how the report lays them out. To keep ``--help``
fast, each module imports Keras, Pillow and matplotlib only when it needs them.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

_REQUIRED = ("typer", "rich", "PIL", "matplotlib")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: The words after the command's name; ``None`` for ``sys.argv[1:]``.

    Raises:
        SystemExit: Always. The code is 0 if everything succeeded, 1 if images could
            not be explained, 2 for wrong usage and 130 after an interruption.
    """
    missing = [name for name in _REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            'The command line needs more packages: pip install "keras-explainable[cli]"'
            f" (missing: {', '.join(missing)})."
        )
    # TensorFlow logs a lot at start-up; a setting of the user's takes precedence.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras_explainable.cli.app import app

    app(None if arguments is None else list(arguments), prog_name="keras-explainable")
