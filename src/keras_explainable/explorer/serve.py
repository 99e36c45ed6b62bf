"""Starts the server on this machine, and opens its page."""

import errno
import os
import re
import secrets
import socket
import webbrowser
from collections.abc import Callable
from typing import Any

import uvicorn

from keras_explainable.explorer.album import Album
from keras_explainable.explorer.server import MESSAGE, application
from keras_explainable.explorer.session import Session

#: Nothing outside this machine can reach it.
LOOPBACK = "127.0.0.1"

#: Name of the variable with the token, for pages that outlive a server.
TOKEN = "KERAS_EXPLAINABLE_TOKEN"


def serve(
    session: Session,
    album: Album,
    port: int,
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve pages until Ctrl-C.

    Args:
        session: Computes the maps.
        album: The images.
        port: Port to listen at; another one if it is in use, and any for 0.
        open_browser: Whether to open the page.
        say: Called with lines of text for the user.
    """
    token = _token()
    with _listening(port) as listener:
        found = listener.getsockname()[1]
        if port not in (0, found):
            say(f"Port {port} is in use; port {found} is taken.")
        address = f"http://{LOOPBACK}:{found}/{token}/"
        hosts = (f"{LOOPBACK}:{found}", f"localhost:{found}")
        server = _AnnouncingServer(
            _config(application(session, album, token, hosts)),
            lambda: _announce(address, open_browser, say),
        )
        server.run(sockets=[listener])


def _token() -> str:
    given = os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,}", given):
        raise ValueError(
            f"{TOKEN} must have at least 16 letters, digits, hyphens and underscores; "
            f"received {len(given)} characters."
        )
    return given


class _AnnouncingServer(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]):
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self._announce()


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="wsproto",
        ws_max_size=MESSAGE,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _announce(address: str, open_browser: bool, say: Callable[[str], None]) -> None:
    say(f"The explorer is at {address} (Ctrl-C ends it)")
    if open_browser:
        webbrowser.open(address)


def _listening(port: int) -> socket.socket:
    """Return a socket at a port of this machine, or at a free one if it is in use."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return socket.create_server((LOOPBACK, 0))
