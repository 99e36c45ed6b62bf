"""Markdown of a page of the documentation with the outputs of its code, and back.

A web page of the repository shows Markdown, but it runs no code and knows no
directives of Sphinx. ``rendered`` returns what such a web page can show, in which
``outputs`` finds the outputs again: whether a page is current can be told without
running its code.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

#: Folder of the rendered pages, beside the pages themselves.
FOLDER = "rendered"

_OUTPUT = r"<!-- output (\w+) -->\n\n(.*?)\n*<!-- end -->"
_HEAD = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)
_CONTENTS = re.compile(r"^```\{toctree\}.*?^```\n+", re.M | re.DOTALL)
_DIRECTIVE = re.compile(r"^```\{([\w-]+)\} ?([^\n]*)\n(.*?)^```$", re.M | re.DOTALL)
_OPTIONS = re.compile(r"\A---\n.*?^---\n", re.M | re.DOTALL)
_OPTION = re.compile(r"^:(\w+): *(.*)\n+", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_AS_IT_IS = re.compile(rf"{_OUTPUT}|^```.*?^```$", re.M | re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """A cell of code.

    Attributes:
        code: Its code.
        tags: Tags that hide its code or its output, such as "remove-input".
        key: A hash of its code and that of all cells before, which its output needs.
    """

    code: str
    tags: frozenset[str]
    key: str

    def markdown(self, output: str) -> str:
        """Return its code, and its output, which may be empty."""
        code = f"```python\n{self.code}\n```"
        output = "\n\n".join(filter(None, [f"<!-- output {self.key} -->", output]))
        parts = [
            ("input", "Code", code),
            ("output", "Output", f"{output}\n\n<!-- end -->"),
        ]
        shown = [x for x in parts if f"remove-{x[0]}" not in self.tags]
        return "\n\n".join(
            f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
            if f"hide-{part}" in self.tags
            else text
            for part, title, text in shown
        )


def cells(page: str) -> Iterator[Cell]:
    """Yield the cells of code of a page."""
    digest = hashlib.sha256()
    for kind, _, body in _DIRECTIVE.findall(page):
        if kind == "code-cell":
            code = _OPTION.sub("", _OPTIONS.sub("", body)).strip()
            tags = dict(_OPTION.findall(body)).get("tags", "")
            digest.update(f"{code}\n".encode())
            yield Cell(
                code, frozenset(re.findall(r"[\w-]+", tags)), digest.hexdigest()[:8]
            )


def outputs(text: str) -> dict[str, str]:
    """Return the outputs in a rendered page, by the keys of their cells."""
    return dict(re.findall(_OUTPUT, text, re.DOTALL))


def rendered(page: str, name: str, found: Mapping[str, str], others: set[str]) -> str:
    """Return a page with the outputs of its code.

    Args:
        page: Its source.
        name: Its path in the folder of the documentation, such as "methods/cam.md".
        found: Outputs by the keys of their cells.
        others: Paths of all rendered pages: links to these stay in their folder.

    Raises:
        KeyError: If there is no output of a cell.
        ValueError: If a directive has no counterpart in plain Markdown.
    """
    every = cells(page)

    def plain(directive: re.Match[str]) -> str:
        kind, argument, body = directive.groups()
        if kind == "code-cell":
            cell = next(every)
            return cell.markdown(found[cell.key])
        if kind == "image":
            return f"![{dict(_OPTION.findall(body))['alt']}]({argument})"
        raise ValueError(f"{name} must not have the directive {kind!r} to be rendered.")

    text = _DIRECTIVE.sub(plain, _CONTENTS.sub("", _HEAD.sub("", page)))
    text = "".join(_linked(text, PurePosixPath(name), others))
    return f"<!-- Made from docs/{name} by `make rendered`. -->\n\n{text.strip()}\n"


def _linked(text: str, name: PurePosixPath, others: set[str]) -> Iterator[str]:
    """Yield the parts of a text, with links that lead somewhere from its folder."""
    start = 0
    for part in [*_AS_IT_IS.finditer(text), None]:
        prose = text[start : part.start() if part else None]
        yield _LINK.sub(lambda link: _link(link, name, others), prose)
        if part:
            yield part[0]
            start = part.end()


def _link(link: re.Match[str], name: PurePosixPath, others: set[str]) -> str:
    words, target = link.groups()
    if "#keras_explainable." in target:  # Of the API reference, which Sphinx makes.
        return words
    if "://" in target or target.startswith("#"):
        return link[0]
    path, hash_, anchor = target.partition("#")
    absolute = os.path.normpath(name.parent / path)
    if absolute not in others:
        absolute = os.path.relpath(absolute, FOLDER)
    return f"[{words}]({os.path.relpath(absolute, name.parent)}{hash_}{anchor})"
