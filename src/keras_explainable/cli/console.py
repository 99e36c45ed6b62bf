"""All the command says: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_explainable.cli.printable_text import printable

if TYPE_CHECKING:
    from keras_explainable.report import Report

__all__ = ["briefly", "conclude", "messages", "say"]

_SHOWN = 20  # lines of the table at the end


def messages() -> Console:
    """Return the console for progress, warnings and errors."""
    return Console(stderr=True, highlight=False)


def say(text: str, style: str = "") -> None:
    """Write a line to the user; whatever file names hold is only text."""
    messages().print(Text(printable(text)), style=style, soft_wrap=True)


@contextlib.contextmanager
def briefly() -> Iterator[None]:
    """Turn errors the user can mend, and warnings, into one sentence each."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _Once()  # type: ignore[assignment]
            yield
    except (ValueError, ImportError) as error:
        say(f"Error: {error}", "red")
        raise typer.Exit(2) from None
    except (OSError, MemoryError) as error:  # A full disk; the command was right.
        said = " ".join(str(error).split()) or "Out of memory"
        say(f"Error: {said}; what is done is kept for --resume.", "red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        say("Interrupted before the first image.")
        raise typer.Exit(130) from None


class _Once:
    """Shows a warning without the source code it comes from, once for each place."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, int]] = set()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        *_: Any,
    ) -> None:
        if issubclass(category, UserWarning) and (filename, lineno) not in self._seen:
            self._seen.add((filename, lineno))
            say(f"Note: {message}")


def conclude(report: Report, seconds: float) -> None:
    """Say what came out: the predictions, the failures, and where the page is."""
    console = Console(highlight=False)
    if report.entries:
        console.print(_table(report))
    for failure in report.failures:
        say(f"{failure['name']} {failure['reason']}", "red")
    done, failed = len(report.entries), len(report.failures)
    parts = (
        [f"{done} explained", f"{failed} failed"] if failed else [f"{done} explained"]
    )
    interrupted = "Interrupted: " if report.interrupted else ""
    line = f"{interrupted}{', '.join(parts)} in {seconds:.1f} s."
    if report.written:
        line += f" See {printable(str(report.page))}"
    if report.interrupted:
        say("The same command with --resume goes on from here.")
    console.print(Text(line), soft_wrap=True)


def _table(report: Report) -> Table:
    from keras_explainable.report import Prediction

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("image", overflow="fold")
    table.add_column("prediction", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    for entry in report.entries[:_SHOWN]:
        best = Prediction(**entry["predictions"][0])
        table.add_row(Text(entry["name"]), Text(best.label), best.shown)
    if len(report.entries) > _SHOWN:
        table.add_row(f"and {len(report.entries) - _SHOWN} more on the page")
    return table
