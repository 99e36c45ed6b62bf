"""The server: the page, and the socket over which images and maps come."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from keras_explainable.explorer.access_guard import AccessGuard
from keras_explainable.explorer.album import Album
from keras_explainable.explorer.page_jobs import PageJobs
from keras_explainable.explorer.session import Session

STATIC = Path(__file__).with_name("static")

#: The most bytes of a file that is dropped onto the page, and of a message.
UPLOAD, MESSAGE = 1 << 26, 1 << 16


def application(
    session: Session, album: Album, token: str, hosts: tuple[str, ...]
) -> Any:
    """Return the ASGI application.

    Args:
        session: Computes the maps.
        album: The images.
        token: First part of every path.
        hosts: Names with ports under which the server is reached.
    """
    server = _Server(session, album)
    routes = [
        Route("/images", server.upload, methods=["POST"]),
        WebSocketRoute("/socket", server.socket),
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    app = Starlette(
        routes=[Mount(f"/{token}", routes=routes)], lifespan=server.lifespan
    )
    return AccessGuard(app, token, hosts)


class _Server:
    """Answers the requests of pages, and computes in one thread."""

    def __init__(self, session: Session, album: Album):
        self._session, self._album = session, album
        self._pages: set[PageJobs] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Have a thread that computes while the server runs."""
        with ThreadPoolExecutor(1, "explorer") as self._worker:
            yield
            for page in self._pages:
                page.close()

    async def upload(self, request: Request) -> Response:
        """Add an image that was dropped onto the page."""
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > UPLOAD:
                text = f"The file is larger than {UPLOAD >> 20} megabytes."
                return JSONResponse({"error": text}, 413)
        name = request.query_params.get("name", "")
        try:
            key = await asyncio.to_thread(self._album.add, name, bytes(content))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"key": key, "name": self._album.names[key]})

    async def socket(self, socket: WebSocket) -> None:
        """Serve a page for as long as it is open."""
        await socket.accept()
        page = PageJobs(self._session, self._album, self._worker, socket.send_bytes)
        self._pages.add(page)
        await page.greet(uploads=True)
        work = asyncio.create_task(page.work())
        try:
            async for text in socket.iter_text():
                await page.receive(_message(text))
        finally:
            page.close()
            work.cancel()
            self._pages.discard(page)
            await asyncio.gather(work, return_exceptions=True)


def _message(text: str) -> dict[str, Any]:
    """Return the message in a text; an empty one if it is none."""
    try:
        found = json.loads(text) if len(text) <= MESSAGE else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
