"""Small HTML tables, as notebooks show them."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import islice
from numbers import Integral
from typing import Any

#: Rows to show; of more, a last row tells how many.
MOST = 20


def html(caption: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """Return a table with a column for each title; all texts are escaped."""
    rows = list(zip(*columns.values(), strict=True))
    lines = [_row("th", columns), *(_row("td", row) for row in islice(rows, MOST))]
    if len(rows) > MOST:
        more = f"and {len(rows) - MOST} more"
        lines.append(f'<tr><td colspan="{len(columns)}">{more}</td></tr>')
    body = "\n".join(lines)
    return f"<table>\n<caption>{escape(caption)}</caption>\n{body}\n</table>"


def _row(tag: str, values: Any) -> str:
    cells = "".join(f"<{tag}>{escape(_text(value))}</{tag}>" for value in values)
    return f"<tr>{cells}</tr>"


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | Integral) else f"{value:.3g}"
