"""The command's output: results on stdout, everything else on stderr."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_explainable.cli.printable_text import printable
from keras_explainable.report.explanation_records import Prediction

if TYPE_CHECKING:
    from keras_explainable.report.evaluation_report import EvaluationReport
    from keras_explainable.report.report_writer import Report
    from keras_explainable.report.run_report import RunReport

_MAX_ROWS = 20  # of the table of predictions


def stderr_console() -> Console:
    """Return the console for progress, warnings and errors."""
    return Console(stderr=True, highlight=False)


def print_message(text: str, style: str = "") -> None:
    """Print a line to stderr; markup in it, as in a file's name, stays plain text."""
    stderr_console().print(Text(printable(text)), style=style, soft_wrap=True)


@contextlib.contextmanager
def exit_on_error() -> Iterator[None]:
    """Print warnings, and errors that the user can fix, as one sentence each."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _WarningPrinter()  # type: ignore[assignment]
            yield
    except (ValueError, ImportError) as error:
        print_message(f"Error: {error}", "red")
        raise typer.Exit(2) from None
    except (OSError, MemoryError) as error:  # Such as a full disk: not wrong usage.
        text = " ".join(str(error).split()) or "Out of memory"
        print_message(f"Error: {text}; completed images are kept for --resume.", "red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print_message("Interrupted before the first image.")
        raise typer.Exit(130) from None


class _WarningPrinter:
    """Prints the text of a warning once for each line of code that issues it."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, int]] = set()

    def __call__(self, text: Any, kind: type, file: str, line: int, *_: Any) -> None:
        if issubclass(kind, UserWarning) and (file, line) not in self._seen:
            self._seen.add((file, line))
            print_message(f"Note: {text}")


def print_summary(report: "Report") -> None:
    """Print the predictions, the failures, and the path of the page."""
    if report.entries:
        Console(highlight=False).print(_predictions_table(report))
    _print_end(report, "explained")


def print_scores(report: "EvaluationReport") -> None:
    """Print the table of scores, the failures, and the path of the page."""
    import keras_explainable as ke

    if report.entries and report.written:
        typer.echo(str(ke.Evaluation.load(report.archive)))
    _print_end(report, "scored")


def _print_end(report: "RunReport", done: str) -> None:
    """Print the failures, and how many images were "explained", for example."""
    for failure in report.failures:
        print_message(f"{failure['name']} {failure['reason']}", "red")
    failed = f", {len(report.failures)} failed" if report.failures else ""
    interrupted = "Interrupted: " if report.interrupted else ""
    line = (
        f"{interrupted}{len(report.entries)} {done}{failed} in {report.seconds:.1f} s."
    )
    if report.written:
        line += f" See {printable(str(report.page))}"
    if report.interrupted:
        print_message("Run the same command with --resume to continue.")
    Console(highlight=False).print(Text(line), soft_wrap=True)


def _predictions_table(report: "Report") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("image", overflow="fold")
    table.add_column("prediction", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    for entry in report.entries[:_MAX_ROWS]:
        best = Prediction(**entry["predictions"][0])
        table.add_row(Text(entry["name"]), Text(best.label), best.score_text)
    if len(report.entries) > _MAX_ROWS:
        table.add_row(f"and {len(report.entries) - _MAX_ROWS} more on the page")
    return table
