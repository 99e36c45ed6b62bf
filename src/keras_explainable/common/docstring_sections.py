"""Read docstrings in Google style, so that functions can share their texts."""

import inspect
import re

#: A section's name at the start of a line, such as "Args:".
_HEADER = re.compile(r"^(Args|Attributes|Returns|Raises|Reference):[ \n]", re.MULTILINE)

#: The first line of a parameter's text.
_ENTRY = re.compile(r"^ {4}\*{0,2}(\w+): ", re.MULTILINE)


def introduction(doc: str) -> str:
    """Return a docstring without its sections."""
    (_, first), *titled = _parts(doc)
    following = (text[_length(text) :].strip() for _, text in titled)
    return "\n\n".join(filter(None, [first.strip(), *following]))


def section(doc: str, name: str) -> str:
    """Return the text of a section, indented as it is; "" if there is none."""
    own = (text[: _length(text)] for title, text in _parts(doc) if title == name)
    return "".join(own).rstrip()


def entries(doc: str, name: str = "Args") -> dict[str, str]:
    """Return the text of each parameter, or error, in a section, on one line."""
    _, *found = _ENTRY.split(section(doc, name))
    pairs = zip(found[::2], found[1::2], strict=True)
    return {parameter: " ".join(text.split()) for parameter, text in pairs}


def _parts(doc: str) -> list[tuple[str, str]]:
    """Return the title and text of each section; the introduction has the title ""."""
    first, *rest = _HEADER.split(inspect.cleandoc(doc))
    return [("", first), *zip(rest[::2], rest[1::2], strict=True)]


def _length(text: str) -> int:
    """Return the length of the lines that belong to a section: all that are indented.

    The first line may follow the title.
    """
    following = re.search(r"\n(?=\S)", text)
    return following.start() if following else len(text)
