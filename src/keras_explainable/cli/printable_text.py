"""Untrusted text, such as file names and error messages, made safe to print."""


def printable(text: str) -> str:
    """Return a text with line breaks, escapes and other controls replaced."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
