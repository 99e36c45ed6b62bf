"""What one open page asks for, computed one after another."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from threading import Event
from typing import Any

import numpy as np

from keras_explainable.explorer import answers, pictures, reproduction
from keras_explainable.explorer.estimates import Estimate
from keras_explainable.explorer.explored_model import ExploredImages
from keras_explainable.explorer.greeting import greeting
from keras_explainable.explorer.session import Session
from keras_explainable.explorer.settings import Request

#: The most characters of an error that a page shows.
_LONGEST_ERROR = 600
_COLORS = re.compile(r"\x1b\[[0-9;]*m")  # Of terminals, as Keras writes them.

Message = Mapping[str, Any]
SendFrame = Callable[[bytes], Awaitable[None]]

#: Number of maps that a page shows side by side.
PANELS = 2


class PageJobs:
    """Explains what a page asks for: one map at a time, the newest request first.

    Requests of a panel replace those before. All work is done by an executor with one
    thread, step by step, so that several pages take turns.

    Args:
        session: Computes the maps.
        images: The images, with their model.
        worker: Runs the steps.
        send: Sends a frame to the page.
    """

    def __init__(
        self,
        session: Session,
        images: ExploredImages,
        worker: Executor,
        send: SendFrame,
    ):
        self._session, self._images = session, images
        self._worker, self._send = worker, send
        self._wanted: dict[int, Message] = {}
        self._shown: dict[int, tuple[Request, Estimate]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._new, self._stop = asyncio.Event(), Event()

    async def greet(self, uploads: bool) -> None:
        """Send what the page needs to begin."""
        await self._send(frame(greeting(self._images, uploads)))

    async def receive(self, message: Message) -> None:
        """Do what a message of the page asks for, or answer why not."""
        try:
            if message.get("kind") == "picture":
                # A task: what comes after it does not wait until it is read.
                sending = self._send_picture(answers.image_key(message))
                task = asyncio.create_task(sending)
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            else:
                await self._receive_of_panel(message)
        except (ValueError, TypeError, KeyError) as error:
            await self._send_error(message, error)

    async def _receive_of_panel(self, message: Message) -> None:
        kind, panel = message.get("kind"), message.get("panel")
        known = kind in ("explain", "archive", *answers.QUESTIONS)
        if not known or panel is None or panel not in range(PANELS):
            raise ValueError(f"The server does not know {str(kind)[:40]!r}.")
        if kind == "explain":
            self._ask(panel, message)
        elif panel not in self._shown:
            raise ValueError("There is no map yet.")
        elif kind == "archive":
            await self._send_archive(*self._shown[panel])
        else:
            await self._answer(panel, message)

    async def work(self) -> None:
        """Compute what is wanted, for ever."""
        while True:
            await self._new.wait()
            self._new.clear()
            while self._wanted:
                panel, message = next(iter(self._wanted.items()))
                await self._explain(panel, message)

    def close(self) -> None:
        """Stop what runs."""
        for task in self._sending:
            task.cancel()
        self._wanted.clear()
        self._stop.set()

    def _ask(self, panel: int, message: Message) -> None:
        self._wanted.pop(panel, None)
        self._wanted = {panel: message, **self._wanted}
        self._stop.set()
        self._new.set()

    async def _explain(self, panel: int, message: Message) -> None:
        stop = self._stop = Event()
        try:
            await self._stream(panel, message, stop)
        except Exception as error:  # Backends have error types of their own.
            self._shown.pop(panel, None)
            await self._send_error(message, error)
        if not stop.is_set():
            self._wanted.pop(panel)

    async def _stream(self, panel: int, message: Message, stop: Event) -> None:
        """Send each estimate of a map as soon as it is there."""
        request, found = await self._in_worker(self._begin, panel, message, stop)
        await self._send(frame(found | {"request": _number_of(message)}))
        is_met = False
        while not (is_met or stop.is_set()):
            estimate, content = await self._in_worker(self._step, request)
            if estimate is None:
                break
            self._shown[panel] = request, estimate
            is_met = content["done"]
            ids = {"panel": panel, "request": _number_of(message)}
            await self._send(frame(content | ids, _float32(estimate, request)))

    async def _send_picture(self, key: int) -> None:
        """Send what the model sees of an image; nothing if it cannot be read."""
        content = {"kind": "picture", "image": key}
        await self._send(frame(content, await asyncio.to_thread(self._picture, key)))

    def _picture(self, key: int) -> bytes:
        with contextlib.suppress(
            ValueError
        ):  # That is said once it is to be explained.
            return pictures.png(self._images.image(key).shown)
        return b""

    async def _send_archive(self, request: Request, estimate: Estimate) -> None:
        """Send a map as a NumPy archive."""
        image = self._images.image(request.setting.image)
        shown = image, request.setting, request.view, estimate
        code = self._images.model.code
        content = await self._in_worker(reproduction.archive, code, *shown)
        await self._send(frame({"kind": "archive"}, content))

    def _begin(self, panel: int, message: Message, stop: Event) -> tuple[Request, Any]:
        key = answers.image_key(message)
        scores = self._images.scores(key)
        request = Request.of_message(message, int(scores.best[0]))
        answers.check_unit(request.setting.unit, self._images.model)
        given = self._images.image(key), request.setting, request.repetitions, stop
        self._estimates = self._session.estimates(*given)
        facts = answers.image_facts(key, self._images) | {"panel": panel}
        return request, facts | answers.known_errors(request, self._session.kept)

    def _step(self, request: Request) -> tuple[Estimate | None, Any]:
        estimate = next(self._estimates, None)
        if estimate is None:
            return None, None
        return estimate, answers.map_content(request, estimate)

    async def _answer(self, panel: int, message: Message) -> None:
        """Answer a question on the map that a panel shows."""
        answer = answers.QUESTIONS[message["kind"]]
        given = message, *self._shown[panel], self._images
        content = await self._in_worker(answer, *given)
        ids = {"kind": message["kind"], "panel": panel}
        await self._send(frame(content | ids))

    async def _send_error(self, message: Message, error: Exception) -> None:
        plain = _COLORS.sub("", str(error))
        text = " ".join(plain.split())[:_LONGEST_ERROR] or type(error).__name__
        content = {"kind": "error", "text": text}
        await self._send(frame(content | {"request": _number_of(message)}))

    async def _in_worker(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function, *arguments)


def _number_of(message: Message) -> int | None:
    """Return the number of a request; None for anything else, which cannot be sent."""
    number = message.get("request")
    return number if isinstance(number, int) else None


def frame(content: Message, data: bytes = b"") -> bytes:
    """Return a message: the length of its JSON, the JSON, and data if there are any."""
    text = json.dumps(content, allow_nan=False).encode()
    return len(text).to_bytes(4, "little") + text + data


def _float32(estimate: Estimate, request: Request) -> bytes:
    return np.nan_to_num(estimate.map(request.view)).astype("<f4").tobytes()
