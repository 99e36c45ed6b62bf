"""The server: the page, its images, and the socket over which maps come."""

import asyncio
import base64
import contextlib
import io
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from keras_explainable.explorer.access_guard import AccessGuard
from keras_explainable.explorer.album import Album
from keras_explainable.explorer.page_jobs import PageJobs, frame
from keras_explainable.explorer.session import Session
from keras_explainable.explorer.settings import ESTIMATORS, EXPLORED, REPETITIONS
from keras_explainable.plotting import colormaps
from keras_explainable.report.explanation_records import METHODS
from keras_explainable.sampling.standard_error import STATISTICS

STATIC = Path(__file__).with_name("static")

#: The most bytes of a file that is dropped onto the page, and of a message.
UPLOAD, MESSAGE = 1 << 26, 1 << 16

#: Colour maps of the page; signed maps have their own.
COLORMAPS = ("inferno", "viridis", "cividis", "gray")


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
        Route("/pictures/{key:int}", server.picture),
        Route("/maps/{page}/{panel:int}", server.archive),
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
        self._pages: dict[str, PageJobs] = {}
        self._count = 0

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Have a thread that computes while the server runs."""
        with ThreadPoolExecutor(1, "explorer") as self._worker:
            yield
            for page in self._pages.values():
                page.close()

    async def picture(self, request: Request) -> Response:
        """Return what the model sees of an image, as PNG."""
        try:
            image = await asyncio.to_thread(
                self._album.image, request.path_params["key"]
            )
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 404)
        buffer = io.BytesIO()
        Image.fromarray(image.shown).save(buffer, "PNG", compress_level=1)
        return Response(buffer.getvalue(), media_type="image/png")

    async def archive(self, request: Request) -> Response:
        """Return the map that a panel of a page shows, as a NumPy archive."""
        page = self._pages.get(request.path_params["page"])
        content = page and await page.archive(request.path_params["panel"])
        if not content:
            return JSONResponse({"error": "There is no map yet."}, 404)
        name = {"content-disposition": 'attachment; filename="map.npz"'}
        return Response(content, media_type="application/octet-stream", headers=name)

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
        self._count += 1
        name = str(self._count)
        self._pages[name] = page
        await socket.send_bytes(frame(self._greeting(name)))
        work = asyncio.create_task(page.work())
        try:
            async for text in socket.iter_text():
                await page.receive(_message(text))
        finally:
            page.close()
            work.cancel()
            del self._pages[name]
            await asyncio.gather(work, return_exceptions=True)

    def _greeting(self, page: str) -> dict[str, Any]:
        """Return what a page needs to begin."""
        model = self._album.model
        return {
            "kind": "hello",
            "page": page,
            "model": model.name,
            "classes": [*model.classes],
            "images": self._album.names,
            "methods": {name: METHODS[name] for name in EXPLORED},
            "estimators": [*ESTIMATORS],
            "statistics": [*STATISTICS],
            "repetitions": [*REPETITIONS],
            "colormaps": {
                name: _table(name) for name in (*COLORMAPS, colormaps.DIVERGING)
            },
        }


def _message(text: str) -> dict[str, Any]:
    """Return the message in a text; an empty one if it is none."""
    try:
        found = json.loads(text) if len(text) <= MESSAGE else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _table(cmap: str) -> str:
    """Return the colours of a colour map, RGB for each of 256 steps, in base64."""
    steps = np.linspace(0, 1, 256, dtype="float32")[None]
    return base64.b64encode(colormaps.colorize(steps, cmap).tobytes()).decode()
