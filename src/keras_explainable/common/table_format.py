"""Small tables for notebooks and terminals."""

from collections.abc import Mapping, Sequence
from html import escape
from numbers import Integral
from typing import Any

#: Rows to show by default; a last line counts those left out.
MAX_ROWS = 20


def text(
    caption: str, columns: Mapping[str, Sequence[Any]], most: int = MAX_ROWS
) -> str:
    """Return a plain-text table of titled columns, aligned to the right.

    Rows after the first ``most`` are left out.
    """
    rows = list(zip(*columns.values(), strict=True))
    cells = [list(columns), *([_text(x) for x in row] for row in rows[:most])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join([caption, *lines, *_left_out(rows, most)])


def html(
    caption: str, columns: Mapping[str, Sequence[Any]], most: int = MAX_ROWS
) -> str:
    """Return an HTML table of titled columns, with all text escaped.

    Rows after the first ``most`` are left out.
    """
    rows = list(zip(*columns.values(), strict=True))
    lines = [_row("th", columns), *(_row("td", row) for row in rows[:most])]
    for note in _left_out(rows, most):
        lines.append(f'<tr><td colspan="{len(columns)}">{note}</td></tr>')
    body = "\n".join(lines)
    return f"<table>\n<caption>{escape(caption)}</caption>\n{body}\n</table>"


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows, which have the same keys, as columns by key."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _left_out(rows: Sequence[Any], most: int) -> list[str]:
    return [f"and {len(rows) - most} more"] if len(rows) > most else []


def _row(tag: str, values: Any) -> str:
    cells = "".join(f"<{tag}>{escape(_text(value))}</{tag}>" for value in values)
    return f"<tr>{cells}</tr>"


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | Integral) else f"{value:.3g}"
