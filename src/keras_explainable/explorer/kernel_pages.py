"""The pages of a widget, computed in a thread beside the notebook's."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Thread
from typing import Any, NamedTuple

from keras_explainable.explorer.explored_model import ExploredImages
from keras_explainable.explorer.page_jobs import PageJobs
from keras_explainable.explorer.session import Session

#: The most pages of a widget. A notebook that is loaded again says no goodbye.
MOST_PAGES = 8


class _Page(NamedTuple):
    jobs: PageJobs
    work: "asyncio.Task[None]"

    def close(self) -> None:
        self.jobs.close()
        self.work.cancel()


class KernelPages:
    """Receives messages of the pages of a widget, one for each place that shows it.

    Args:
        session: Computes the maps.
        images: The images, with their model.
        send: Sends a frame to a page, by its name; called from another thread.
    """

    def __init__(
        self,
        session: Session,
        images: ExploredImages,
        send: Callable[[str, bytes], None],
    ):
        self._session, self._images, self._send = session, images, send
        self._pages: OrderedDict[str, _Page] = OrderedDict()

    def receive(self, message: Any) -> None:
        """Do what a message asks for, beside this thread."""
        if isinstance(message, Mapping):
            _beside(self._receive(str(message.get("view")), message))

    def close(self) -> None:
        """End all pages."""
        _beside(self._close_all())

    async def _receive(self, name: str, message: Mapping[str, Any]) -> None:
        kind = message.get("kind")
        if kind == "hello":
            await self._open(name)
        elif name not in self._pages:
            return
        elif kind == "close":
            self._close(name)
        else:
            await self._pages[name].jobs.receive(message)

    async def _open(self, name: str) -> None:
        async def send(frame: bytes) -> None:
            self._send(name, frame)

        jobs = PageJobs(self._session, self._images, _worker(), send)
        self._pages[name] = _Page(jobs, asyncio.create_task(jobs.work()))
        while len(self._pages) > MOST_PAGES:
            self._close(next(iter(self._pages)))
        await jobs.greet(uploads=False)

    def _close(self, name: str) -> None:
        self._pages.pop(name).close()
        if not self._pages:  # Cells that run again leave widgets that nobody sees.
            _worker().submit(self._session.kept.clear)

    async def _close_all(self) -> None:
        for name in [*self._pages]:
            self._close(name)


def _beside(coroutine: Any) -> None:
    asyncio.run_coroutine_threadsafe(coroutine, _loop())


@cache
def _worker() -> ThreadPoolExecutor:
    """Return the thread that computes, one for all widgets, which take turns."""
    return ThreadPoolExecutor(1, "explorer")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return a loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="explorer-messages", daemon=True).start()
    return loop
