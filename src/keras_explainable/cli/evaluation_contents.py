"""What the page of an evaluation shows, from the scores of its images."""

import io
from collections.abc import Sequence

import keras_explainable as ke
from keras_explainable.evaluation import (
    evaluation_figure,
    evaluation_files,
    score_table,
)
from keras_explainable.evaluation.merged_evaluations import merged_all
from keras_explainable.evaluation.paired_differences import Difference
from keras_explainable.report.evaluation_page import (
    Cell,
    Differences,
    EvaluationContents,
    Row,
)

_MARKS = {score_table.BEST: "best", score_table.SAME: "same"}


def combined(archives: Sequence[bytes]) -> tuple[bytes, EvaluationContents]:
    """Return the archive of all images, and what the page shows of them."""
    whole = merged_all([loaded(archive) for archive in archives])
    evaluation_files.write(whole, buffer := io.BytesIO())
    return buffer.getvalue(), contents(whole)


def loaded(archive: bytes) -> ke.Evaluation:
    """Return the evaluation in an archive."""
    return ke.Evaluation(**evaluation_files.read(io.BytesIO(archive)))


def contents(evaluation: ke.Evaluation) -> EvaluationContents:
    """Return what the page shows of an evaluation."""
    return EvaluationContents(
        score_table.caption(evaluation),
        [score_table.column_title(evaluation, name) for name in evaluation.metrics],
        _rows(evaluation),
        score_table.legend(evaluation),
        evaluation_figure.figure(evaluation).svg(),
        _figure_text(evaluation),
        [_differences(evaluation, metric) for metric in evaluation.metrics],
    )


def _rows(evaluation: ke.Evaluation) -> list[Row]:
    columns = [
        score_table.cells(evaluation, number)
        for number in range(len(evaluation.metrics))
    ]
    rows = zip(evaluation.methods, zip(*columns, strict=True), strict=True)
    return [
        Row(
            score_table.row_title(evaluation, name),
            name in evaluation.controls,
            [Cell(text.strip(), _MARKS.get(text[-1], "")) for text in texts],
        )
        for name, texts in rows
    ]


def _figure_text(evaluation: ke.Evaluation) -> str:
    text = (
        "Dots are means over images, and lines their 95 % confidence intervals. "
        "Methods whose lines overlap may still be told apart by paired differences."
    )
    if not evaluation.curves:
        return text
    return (
        f"{text} Curves are mean scores of the model while pixels are removed or "
        "inserted, with bands of one standard error."
    )


def _differences(evaluation: ke.Evaluation, metric: str) -> Differences:
    title = score_table.column_title(evaluation, metric)
    found = evaluation.differences(metric)
    rows = [_row(each) for each in found]
    return Differences(title, _findings(evaluation, metric, found), rows)


def _row(found: Difference) -> tuple[str, str, str, str]:
    pair = f"{found.method} − {found.other}"
    if not found.images:
        return pair, "–", "–", "no image has both scores"
    if found.low != found.low:
        return pair, f"{found.mean:.3g}", "–", "too few images"
    verdict = "" if found.told_apart else "cannot be told apart"
    return pair, f"{found.mean:.3g}", f"{found.low:.3g} to {found.high:.3g}", verdict


def _findings(
    evaluation: ke.Evaluation, metric: str, found: Sequence[Difference]
) -> list[str]:
    """Return sentences on the best method, and on methods and controls."""
    column = evaluation.metrics.index(metric)
    equal = score_table.equally_best(evaluation, column)
    if not equal:
        return ["There is no best method, as no image has the scores of all methods."]
    if all(each.low != each.low for each in found):
        names = ", ".join(equal)
        return [f"Best: {names}. Differences are not tested on so few images."]
    best = equal[0]
    pairs = [each for each in found if each.low == each.low and not each.told_apart]
    same = [_other(each, best) for each in pairs if best in (each.method, each.other)]
    same = [name for name in same if name not in equal]
    sentences = [f"Best: {', '.join(equal)}."]
    if same:
        sentences.append(f"Cannot be told apart from it: {', '.join(same)}.")
    sentences += [
        f"{method} cannot be told apart from {', '.join(controls)}."
        for method in evaluation.methods
        if method not in evaluation.controls
        if (controls := _controls_like(evaluation, method, pairs))
    ]
    return sentences


def _controls_like(
    evaluation: ke.Evaluation, method: str, pairs: Sequence[Difference]
) -> list[str]:
    """Return the controls that cannot be told apart from a method."""
    others = [_other(x, method) for x in pairs if method in (x.method, x.other)]
    return [
        score_table.row_title(evaluation, name)
        for name in others
        if name in evaluation.controls
    ]


def _other(found: Difference, method: str) -> str:
    return found.other if found.method == method else found.method
