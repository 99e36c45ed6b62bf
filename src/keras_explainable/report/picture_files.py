"""Moves the pictures of a card into files beside the page."""

import base64
import re
import urllib.parse

#: Folder of the pictures, beside the page.
FOLDER = "pictures"

# Only in a style that the card itself wrote: quotes in names are escaped.
_STYLE = re.compile(rb'style="[^"]*"')
_DATA = re.compile(rb"url\(data:image/(png|jpeg);base64,([A-Za-z0-9+/=]*)\)")

_SUFFIXES = {b"png": "png", b"jpeg": "jpg"}


def detached(card: bytes, key: str) -> tuple[bytes, dict[str, bytes]]:
    """Return a card that refers to files, and their contents by their names.

    Args:
        card: The card of an image, with its pictures as data.
        key: The key of the image.
    """
    files: dict[str, bytes] = {}

    def refer(found: re.Match[bytes]) -> bytes:
        name = f"{key}.{len(files)}.{_SUFFIXES[found[1]]}"
        files[name] = base64.b64decode(found[2])
        return f"url({FOLDER}/{urllib.parse.quote(name)})".encode()

    return _STYLE.sub(lambda style: _DATA.sub(refer, style[0]), card), files
