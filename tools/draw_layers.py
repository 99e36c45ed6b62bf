"""Draw the import contracts of pyproject.toml as the picture of docs/architecture.md.

    python tools/draw_layers.py

Packages may import from those in lower rows only. Purposes are the first lines of the
packages' docstrings.
"""

import ast
import html
import pathlib
import textwrap
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "src/keras_explainable"
PICTURE = ROOT / "docs/_static/layers.svg"

WIDTH, HEIGHT, GAP, LEFT = 860, 70, 8, 40  # Of a row, in pixels.

STYLE = (
    'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" '
    'font-size="13" fill="#111"'
)
ARROW = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
    'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker>'
    "</defs>"
)


def layers() -> list[list[str]]:
    """Return the names of packages and modules, from the top row down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (rows,) = (one["layers"] for one in contracts if one["type"] == "layers")
    return [row.split(" | ") for row in rows]


def purpose(name: str) -> str:
    """Return the first line of the docstring of a package or module."""
    path = PACKAGE / name / "__init__.py"
    path = path if path.exists() else PACKAGE / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.splitlines()[0].rstrip(".").replace("`", "")


def box(name: str, left: float, top: float, width: float) -> str:
    """Return the box of one package, with its purpose."""
    shown = name if (PACKAGE / f"{name}.py").exists() else f"{name}/"
    lines = textwrap.wrap(purpose(name), int(width / 7.4))
    texts = [f'<tspan font-weight="600">{shown}</tspan>', *map(html.escape, lines)]
    spans = "".join(
        f'<text x="{left + width / 2:.0f}" y="{top + 18 + 15 * row:.0f}" '
        f'text-anchor="middle">{text}</text>'
        for row, text in enumerate(texts)
    )
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{HEIGHT}" '
        f'rx="6" fill="#eef3fb" stroke="#4a6fa5"/>{spans}'
    )


def picture() -> str:
    """Return the picture as SVG."""
    rows, parts = layers(), []
    high = len(rows) * (HEIGHT + GAP) + GAP
    for number, names in enumerate(rows):
        width = (WIDTH - LEFT - GAP * len(names)) / len(names)
        top = GAP + number * (HEIGHT + GAP)
        parts += [
            box(name, LEFT + place * (width + GAP), top, width)
            for place, name in enumerate(names)
        ]
    arrow = f'<line x1="20" y1="{GAP}" x2="20" y2="{high - GAP}"'
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {high}" {STYLE}>',
            ARROW,
            f'<rect width="{WIDTH}" height="{high}" fill="#fff"/>',
            f'{arrow} stroke="#555" stroke-width="2" marker-end="url(#tip)"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
