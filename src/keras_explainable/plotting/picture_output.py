"""Writing and showing pictures, without a trace in Matplotlib's global state."""

import importlib
import io
import os
import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

from keras_explainable.common.optional_packages import require

DPI = 150  # pixels per inch

#: Function that draws into an empty figure.
Draw = Callable[[Any], None]


def writable(path: str | os.PathLike[str], name: str = "to_file") -> pathlib.Path:
    """Return a path as such; raise FileNotFoundError if it has no folder.

    Args:
        path: What was received.
        name: Name of the parameter.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`{name}` must be in a folder that exists; received {str(path)!r}."
        )
    return path


def save(draw: Draw, size: tuple[float, float], target: Any) -> None:
    """Draw a picture of a size in inches, and write it to a path or a buffer."""
    # Not by pyplot, which would register the figure and select a backend.
    figure = require("matplotlib.figure").Figure(figsize=size, layout="none")
    draw(figure)
    kind = (getattr(target, "suffix", "") or ".png")[1:]
    figure.savefig(target, format=kind, dpi=DPI, facecolor="white", transparent=False)


def svg(draw: Draw, size: tuple[float, float]) -> str:
    """Draw a picture without a background, and return the SVG element.

    What is black takes the colour of the text around it, so that it can be read on a
    dark page, too. Equal pictures are equal texts.
    """
    figure = require("matplotlib.figure").Figure(figsize=size, layout="none")
    draw(figure)
    buffer = io.StringIO()
    same = {"svg.fonttype": "none", "svg.hashsalt": "keras-explainable"}
    with require("matplotlib").rc_context(same):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    return element.replace("#000000", "currentColor")


def show(draw: Draw, size: tuple[float, float]) -> None:
    """Draw a picture of a size in inches, and show it in a notebook or a window."""
    if _in_notebook():
        display = importlib.import_module("IPython.display")
        save(draw, size, buffer := io.BytesIO())
        width = round(size[0] * 72)  # At 72 of the 150 dpi, for sharp screens.
        display.display(display.Image(data=buffer.getvalue(), width=width))
    else:
        _show_window(draw, size)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    bases = [base.__name__ for base in type(shell).__mro__]
    return shell is not None and "TerminalInteractiveShell" not in bases


def _show_window(draw: Draw, size: tuple[float, float]) -> None:
    pyplot = require("matplotlib.pyplot")
    figure = pyplot.figure(figsize=size, layout="none")
    stays_open = pyplot.isinteractive() and _has_windows(figure)
    try:
        draw(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*non-interactive")
            pyplot.show()
    finally:
        if not stays_open:  # Otherwise the user closes the window.
            pyplot.close(figure)


def _has_windows(figure: Any) -> bool:
    return getattr(figure.canvas, "required_interactive_framework", None) is not None
