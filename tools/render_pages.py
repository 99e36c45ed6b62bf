"""Write the pages of the documentation, with their outputs, into ``docs/rendered``.

    python tools/render_pages.py [--check]

A web page of the repository then shows what their code returns and draws. `make docs`
runs the code, and leaves the notebooks that this script reads. With ``--check``,
nothing is written, and the exit status is 1 if a page has changed. With ``--text``, no
notebook is read: only what is said around the code has changed.
"""

import argparse
import base64
import functools
import io
import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import page_markdown
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOKS = DOCS / "_build" / "jupyter_execute"
FOLDER = DOCS / page_markdown.FOLDER
PICTURES = FOLDER / "pictures"

#: Pictures are at most this wide, in pixels, and of this quality.
WIDTH, QUALITY = 640, 40

#: Pictures are the same if their thumbnails of SIDE x SIDE pixels differ by less, in
#: shades of 255 on average: machines round differently.
SIDE, TOLERANCE = 24, 6

#: Texts are the same if they have this share of their words in common. Their numbers
#: differ between machines.
COMMON = 0.5

Output = dict[str, Any]


class Pictures:
    """Writes the pictures of a page, but those that are there already.

    Args:
        name: Path of the page in the folder of the documentation.
        check: Whether nothing is written.
    """

    def __init__(self, name: str, check: bool):
        self._page, self._check = FOLDER / name, check
        self._count = 0
        self.changed: list[str] = []

    def add(self, png: bytes) -> str:
        """Return the Markdown of a picture, which is written if it has changed."""
        self._count += 1
        path = PICTURES / f"{self._page.stem}_{self._count}.webp"
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        if not (path.exists() and is_same(picture, Image.open(path))):
            self.changed.append(path.name)
            if not self._check:
                picture.thumbnail((WIDTH, 10 * WIDTH), Image.Resampling.LANCZOS)
                picture.save(path, quality=QUALITY, method=6)
        link = os.path.relpath(path, self._page.parent)
        return f"![What the code above draws.]({link})"


def is_same(picture: Image.Image, other: Image.Image) -> bool:
    """Return whether two pictures show the same, possibly at different sizes."""
    shapes = [each.width / each.height for each in (picture, other)]
    small = [
        np.asarray(
            each.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), float
        )
        for each in (picture, other)
    ]
    alike = abs(small[0] - small[1]).mean() < TOLERANCE
    return bool(alike and 0.95 < shapes[0] / shapes[1] < 1.05)


def are_alike(text: str, other: str) -> bool:
    """Return whether outputs are of the same kinds, and share most of their words."""
    kinds = [
        re.findall(r"^(?:```text|!)", each, re.MULTILINE) for each in (text, other)
    ]
    words = [{*re.findall(r"[^\W\d]{3,}", each)} for each in (text, other)]
    common, every = words[0] & words[1], words[0] | words[1]
    return kinds[0] == kinds[1] and len(common) >= COMMON * len(every)


def blocks(cell: Output, pictures: Pictures) -> Iterator[str]:
    """Yield the Markdown of each output of a cell in a notebook."""
    shows_errors = cell["metadata"].get("mystnb", {}).get("output_stderr") == "show"
    printed = ""
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            if output["name"] == "stdout" or shows_errors:
                printed += "".join(output["text"])
            continue
        if printed:
            yield text_block(printed)
        printed = ""
        yield displayed(
            {key: "".join(x) for key, x in output["data"].items()}, pictures
        )
    if printed:
        yield text_block(printed)


def displayed(data: dict[str, str], pictures: Pictures) -> str:
    """Return the Markdown of an object that is displayed."""
    if found := re.search(
        r"data:image/png;base64,([\w+/=]+)", data.get("text/html", "")
    ):
        data = {"image/png": found[1]}
    if "image/png" in data:
        return pictures.add(base64.b64decode(data["image/png"]))
    return data.get("text/markdown") or text_block(data["text/plain"])


def text_block(text: str) -> str:
    """Return text as a block, without the names of temporary files."""
    text = re.sub(r"\S+/ipykernel_\d+/\d+\.py", "cell", text.strip("\n"))
    return f"```text\n{text}\n```"


@functools.cache
def cache() -> Any:
    """Return the cache of `make docs`, which holds the outputs of all notebooks."""
    from jupyter_cache import get_cache  # Only what builds the documentation has it.

    return get_cache(runpy.run_path(str(DOCS / "conf.py"))["nb_execution_cache_path"])


def executed(name: str) -> list[Output]:
    """Return the cells of code of a page, as `make docs` has run them."""
    notebook = nbformat.read((NOTEBOOKS / name).with_suffix(".ipynb"), as_version=4)
    _, notebook = cache().merge_match_into_notebook(notebook)
    return [each for each in notebook["cells"] if each["cell_type"] == "code"]


def found_outputs(name: str, page: str, pictures: Pictures) -> dict[str, str]:
    """Return the outputs of a page, by the keys of their cells."""
    found = {}
    for cell, run in zip(page_markdown.cells(page), executed(name), strict=True):
        if "".join(run["source"]).strip() != cell.code:
            raise ValueError(f"{name} must be as it was run: run `make docs` first.")
        found[cell.key] = "\n\n".join(blocks(run, pictures))
    return found


def render(name: str, others: set[str], args: argparse.Namespace) -> list[str]:
    """Write a page unless it is only checked, and return what has changed."""
    page, path = (DOCS / name).read_text("utf-8"), FOLDER / name
    text = path.read_text("utf-8") if path.exists() else ""
    before = page_markdown.outputs(text)
    pictures = Pictures(name, args.check)
    found = before if args.text else found_outputs(name, page, pictures)
    if not args.check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page_markdown.rendered(page, name, found, others), "utf-8")
    changed = [key for key in found if not are_alike(found[key], before.get(key, "-"))]
    if not changed and text != page_markdown.rendered(page, name, before, others):
        changed = ["text"]
    return [f"{name}: {each}" for each in [*changed, *pictures.changed]]


def page_names() -> set[str]:
    """Return the paths of all pages with code that `make docs` runs."""
    pages = [*DOCS.glob("*.md"), *DOCS.glob("methods/*.md")]
    found = (each for each in pages if "```{code-cell}" in each.read_text("utf-8"))
    return {each.relative_to(DOCS).as_posix() for each in found}


def remove_unused() -> None:
    """Remove pictures that no page shows."""
    pages = [path.read_text("utf-8") for path in FOLDER.rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"pictures/(\S+)\)", page)}
    for path in PICTURES.iterdir():
        if path.name not in shown:
            path.unlink()


def main() -> int:
    """Write or check all pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--text", action="store_true", help="keep all outputs")
    args = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    names = page_names()
    changed = [each for name in sorted(names) for each in render(name, names, args)]
    if changed and args.check:
        print(
            "docs/rendered is not current (run `make rendered`):",
            *changed,
            sep="\n",
        )
        return 1
    if not args.check:
        remove_unused()
    return 0


if __name__ == "__main__":
    sys.exit(main())
