"""Raising errors in the package's own lines."""

import linecache
import sys
from contextlib import contextmanager
from pathlib import Path

import keras_explainable

PACKAGE = str(Path(keras_explainable.__file__).parent)


class Lines:
    """Counts the lines of the package that run in this thread; raises at one of them.

    Attributes:
        seen: Number of lines that have run.
        places: Number at which each distinct line first ran.
        place: Line that raised; None if it was not reached.
    """

    def __init__(self, number=None, error=None):
        self.number, self.error = number, error
        self.seen, self.places, self.place = 0, {}, None
        self._entered = set()

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not self._leaves(frame):
            self.seen += 1
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            self.places.setdefault(place, self.seen)
            if self.seen == self.number:
                self.place = place
                raise self.error
        return self

    def _leaves(self, frame):
        """Return whether a ``with`` is being left, and so guards nothing any more."""
        if not _line(frame).startswith("with "):
            return False
        place = frame, frame.f_lineno
        self._entered ^= {place}
        return place not in self._entered


def _line(frame):
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()


@contextmanager
def raising(number=None, error=None):
    """Raise ``error`` at the given number of lines that the package runs."""
    lines, before = Lines(number, error), sys.gettrace()
    sys.settrace(lines)
    try:
        yield lines
    finally:
        sys.settrace(before)
