"""The page of an evaluation: the table, the figure, and paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from keras_explainable.report import page_document
from keras_explainable.report.explanation_records import METHODS

_SETTINGS = {
    "model": "Model",
    "methods": "Methods",
    "metrics": "Metrics",
    "layer": "Layer of class activation maps",
    "target": "Classes explained",
    "repetitions": "Noisy copies",
    "noise_level": "Noise level",
    "seeds": "Seeds of random draws",
    "masks": "Masks",
    "preprocessing": "Preprocessing",
    "resize": "Fitting of images",
}


@dataclass(frozen=True)
class Cell:
    """A score in the table, and how it is marked: "best", "same" or not at all."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """The scores of a method, which may be a control."""

    title: str
    is_control: bool
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Differences:
    """Paired differences of the methods by one metric.

    Attributes:
        title: Title of the metric.
        findings: Sentences on what can be told apart, and what cannot.
        rows: Pair of methods, mean difference, its interval, and what follows.
    """

    title: str
    findings: Sequence[str]
    rows: Sequence[tuple[str, str, str, str]]


@dataclass(frozen=True)
class EvaluationContents:
    """What the page shows.

    Attributes:
        caption: Title of the table.
        columns: Titles of the metrics.
        rows: Rows of the table.
        legend: Lines below the table.
        figure: The figure, as an SVG element.
        figure_text: What the figure shows.
        differences: Paired differences by each metric.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    legend: Sequence[str]
    figure: str
    figure_text: str
    differences: Sequence[Differences]


def page(summary: dict[str, Any], contents: EvaluationContents | None) -> str:
    """Return the page.

    Args:
        summary: The facts of the report.
        contents: What it shows; None if there is no image.
    """
    title = f"Scores of maps of {summary['model']}"
    methods = page_document.listing([METHODS[name] for name in summary["methods"]])
    shown = summary | {"methods": methods, "metrics": ", ".join(summary["metrics"])}
    images = page_document.images_text(summary["images"])
    work = "Loading the network and scoring the maps"
    sections = "\n".join(_sections(contents)) if contents else ""
    return f"""{page_document.start(title, "data:", ["page.css", "evaluation.css"])}
<header>
<h1>How good are the maps?</h1>
<p class="lead">Maps of {images} by {escape(methods)}, scored by
{escape(page_document.listing(summary["metrics"]))}.</p>
{page_document.notices(summary, "scored")}
{page_document.settings(_SETTINGS, shown)}
</header>
<main>
{sections}
</main>
<footer><p>{page_document.creation(summary, work)} All scores are stored in
<code>evaluation.npz</code>, which <code>ke.Evaluation.load</code> reads, and those of
each image in <code>manifest.json</code>.</p></footer>
</body>
</html>
"""


def _sections(contents: EvaluationContents) -> list[str]:
    return [
        f"<section><h2>Scores</h2>{_table(contents)}{_lines(contents.legend)}</section>",
        f"<section><h2>Figure</h2>{contents.figure}"
        f"<p>{escape(contents.figure_text)}</p></section>",
        "<section><h2>Paired differences</h2>"
        "<p>Differences between two methods on the same images, with 95 % confidence "
        "intervals. Each interval is for a single comparison: of many comparisons "
        "between equal methods, one in twenty excludes 0 by chance.</p>"
        f"{''.join(map(_differences, contents.differences))}</section>",
    ]


def _table(contents: EvaluationContents) -> str:
    columns = "".join(f'<th scope="col">{escape(x)}</th>' for x in contents.columns)
    rows = "".join(map(_row, contents.rows))
    return (
        f"<table><caption>{escape(contents.caption)}</caption>"
        f"<thead><tr><td></td>{columns}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(row: Row) -> str:
    cells = "".join(
        f'<td class="{cell.mark}">{escape(cell.text)}</td>' for cell in row.cells
    )
    kind = ' class="control"' if row.is_control else ""
    return f'<tr{kind}><th scope="row">{escape(row.title)}</th>{cells}</tr>'


def _lines(lines: Sequence[str]) -> str:
    return f"<p>{'<br>'.join(map(escape, lines))}</p>"


def _differences(found: Differences) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        f"{''.join(f'<td>{escape(text)}</td>' for text in row[1:])}</tr>"
        for row in found.rows
    )
    titles = ("Methods", "Difference", "95 % interval", "")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    return (
        f"<h3>{escape(found.title)}</h3>{_lines(found.findings)}"
        f"<details><summary>All {len(found.rows)} pairs</summary><table><thead>"
        f"<tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )
