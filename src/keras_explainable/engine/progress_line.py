"""Keras' progress bar, as one line wherever it is written."""

import contextlib
import io
import os
import sys
from typing import Any

import keras


class ProgressLine(keras.utils.Progbar):
    """A bar that moves in terminals and notebooks; elsewhere, only its end is written.

    Keras moves a bar by writing backspaces, which stay in files, and in notebooks that
    are exported. In a notebook, this one replaces an output of its own instead.
    """

    def __init__(self, verbose: int):
        super().__init__(None, verbose=verbose, unit_name="image")
        self._output: Any = None
        self._is_notebook = verbose == 1 and _in_notebook()
        moves = verbose != 1 or self._is_notebook or _in_terminal()
        self._ends_only = not moves

    def update(self, current: float, values: Any = None, finalize: Any = None) -> None:
        """Show how many images are done, as Keras' bar does."""
        if self._ends_only and not finalize:
            return
        if not self._is_notebook:
            super().update(current, values, finalize)
            return
        with contextlib.redirect_stdout(io.StringIO()) as written:
            super().update(current, values, finalize)
        if text := written.getvalue().strip("\b\r\n"):
            self._replace({"text/plain": text.rstrip()})

    def _replace(self, content: dict[str, str]) -> None:
        import IPython.display

        display: Any = IPython.display.display
        if self._output is None:
            self._output = display(content, raw=True, display_id=True)
        else:
            self._output.update(content, raw=True)


def _in_terminal() -> bool:
    # PyCharm's window moves bars, too, though it is no terminal.
    return sys.stdout.isatty() or "PYCHARM_HOSTED" in os.environ


def _in_notebook() -> bool:
    """Return whether this runs in the kernel of a notebook."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and hasattr(get_shell(), "kernel")
