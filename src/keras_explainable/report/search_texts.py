"""The texts in which images of all pages are found, for the pages' script."""

import html
import json
import re
from collections.abc import Sequence

# Only elements that the card itself wrote: names in it are escaped.
_SEARCHED = re.compile(r"<h2>([^<]*)</h2>|<section><h3>([^<]*) <span>|<b>([^<]*)</b>")


def searched_text(card: bytes) -> str:
    """Return the name of an image and its classes, as the script reads them."""
    found = (one for groups in _SEARCHED.findall(card.decode()) for one in groups)
    return "\n".join(dict.fromkeys(html.unescape(one) for one in found if one))


def script(pages: Sequence[Sequence[str]]) -> bytes:
    """Return the script that hands over the texts of the images of each page."""
    # A script, for pages that are opened as files can read no other kind of file.
    return f"globalThis.searchTexts = {json.dumps(pages)};\n".encode()
