"""Small tables, as notebooks and terminals show them."""

from collections.abc import Mapping, Sequence
from html import escape
from numbers import Integral
from typing import Any

#: Rows to show; of more, a last row tells how many.
MOST = 20


def text(caption: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """Return a table with a column for each title, right-aligned."""
    rows = list(zip(*columns.values(), strict=True))
    cells = [list(columns), *([_text(value) for value in row] for row in rows[:MOST])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join([caption, *lines, *_more(rows)])


def html(caption: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """Return a table with a column for each title; all texts are escaped."""
    rows = list(zip(*columns.values(), strict=True))
    lines = [_row("th", columns), *(_row("td", row) for row in rows[:MOST])]
    for more in _more(rows):
        lines.append(f'<tr><td colspan="{len(columns)}">{more}</td></tr>')
    body = "\n".join(lines)
    return f"<table>\n<caption>{escape(caption)}</caption>\n{body}\n</table>"


def _more(rows: Sequence[Any]) -> list[str]:
    return [f"and {len(rows) - MOST} more"] if len(rows) > MOST else []


def _row(tag: str, values: Any) -> str:
    cells = "".join(f"<{tag}>{escape(_text(value))}</{tag}>" for value in values)
    return f"<tr>{cells}</tr>"


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | Integral) else f"{value:.3g}"
