"""Text that others wrote: names of files, and what errors say of them."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """Return a text without odd bytes, line breaks and what steers a terminal."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
