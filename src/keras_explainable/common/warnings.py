"""Warnings that point at the user's own line."""

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1])


def warn(message: str) -> None:
    """Warn as if from the first caller outside this package."""
    level = 1
    while sys._getframe(level).f_code.co_filename.startswith(_PACKAGE):
        level += 1
    warnings.warn(message, stacklevel=level + 1)


class Once:
    """Warns of each kind of thing once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def warn(self, kind: str, message: str | None) -> None:
        """Warn, unless there is no message or one of this kind was given before."""
        if message is not None and kind not in self._told:
            self._told.add(kind)
            warn(message)
