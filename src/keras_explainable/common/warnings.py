"""Warnings that point to the user's own line."""

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
    """Gives one warning of each kind."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def warn(self, kind: str, message: str | None) -> None:
        """Warn, unless ``message`` is None or this kind was already warned of."""
        if message is not None and kind not in self._given:
            self._given.add(kind)
            warn(message)
