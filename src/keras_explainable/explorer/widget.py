"""The widget of a notebook: the page, and the messages that it exchanges."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import IPython.display

from keras_explainable.explorer.explored_model import ExploredImages
from keras_explainable.explorer.kernel_pages import KernelPages
from keras_explainable.explorer.session import Session

_NOTE_TEXT = "The explorer needs a running notebook: run this cell to see it."

# Hidden by the widget.
_NOTE = f'<p class="keras-explainable-note">{_NOTE_TEXT}</p>'


class ExplorerWidget(anywidget.AnyWidget):
    """An explorer in a notebook.

    Args:
        session: Computes the maps.
        images: The images, with their model.
    """

    #: Made from the sources of the page, in `web/`.
    _esm = Path(__file__).with_name("widget.js")

    def __init__(self, session: Session, images: ExploredImages):
        super().__init__()
        self._run = _in_this_thread()
        self._pages = KernelPages(session, images, self._send_frame)
        self.on_msg(lambda _, content, buffers: self._pages.receive(content))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        # An output of its own, as exported pages show only the widget of one with both.
        display: Any = IPython.display.display
        display({"text/html": _NOTE, "text/plain": _NOTE_TEXT}, raw=True)
        return super()._repr_mimebundle_(**options)

    def close(self) -> None:
        """Remove the widget; what it computes ends."""
        with suppress(AttributeError):  # It is closed before it is complete.
            self._pages.close()
        super().close()

    def _send_frame(self, view: str, frame: bytes) -> None:
        self._run(lambda: self.send({"view": view}, [frame]))


def _in_this_thread() -> Callable[[Callable[[], None]], Any]:
    """Return what calls a function in this thread, from others.

    Notebooks send messages from the thread that runs the cells, between two of them.
    Without a loop of events, as in a script, nobody listens anyway.
    """
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        return lambda function: function()
