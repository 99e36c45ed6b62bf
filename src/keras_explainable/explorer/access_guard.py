"""Refuses what does not come from a page of this server."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import PlainTextResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

#: What every answer says: no other site may embed, read or keep it.
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self' ws://{host}"
)


class AccessGuard:
    """Lets requests through that have the token, one of the hosts, and its origin.

    Another site can make a browser send requests here, and can point its own name to
    this machine (DNS rebinding): it knows no token, and its Host or Origin is another.

    Args:
        app: ASGI application behind it.
        token: First part of every path.
        hosts: Names with ports under which the server is reached.
    """

    def __init__(self, app: Any, token: str, hosts: tuple[str, ...]):
        self._app, self._token, self._hosts = app, token.encode(), hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on to the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif not self._is_allowed(scope):
            await _refuse(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send, _text(scope, b"host")))

    def _is_allowed(self, scope: Scope) -> bool:
        first = scope["path"].removeprefix("/").partition("/")[0]
        host, origin = _text(scope, b"host"), _text(scope, b"origin")
        known = secrets.compare_digest(first.encode(), self._token)
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        origins = (f"http://{host}", "") if reads else (f"http://{host}",)
        return known and host in self._hosts and origin in origins


def _text(scope: Scope, name: bytes) -> str:
    """Return a header; one that is there twice is none of a browser."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else "," * len(values)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    text = "Open the address that keras-explainable printed.\n"
    answer = PlainTextResponse(text, 403, headers=_HEADERS)
    await answer(scope, receive, send)


def _with_headers(send: Send, host: str) -> Send:
    headers = _HEADERS | {"content-security-policy": _POLICY.format(host=host)}
    added = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return sending
