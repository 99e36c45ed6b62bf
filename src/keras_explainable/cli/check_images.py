"""Checks the derivatives of a network at images, one by one."""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras_explainable as ke
from keras_explainable.cli import console
from keras_explainable.cli.find_images import ImageSource
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.cli.printable_text import printable
from keras_explainable.common import table_format
from keras_explainable.engine.check_gradients import GradientCheck, caption_of


class Findings(NamedTuple):
    """What the checks of all images found.

    Attributes:
        images: Number of images.
        checks: Of each image that could be read, by its name.
        failures: Names of the other images.
    """

    images: int
    checks: dict[str, GradientCheck]
    failures: list[str]

    @property
    def code(self) -> int:
        """The exit code: 130 if interrupted, 1 if derivatives differ or images fail."""
        if self.images > len(self.checks) + len(self.failures):
            return 130
        return int(bool(self.failures) or not all(x.ok for x in self.checks.values()))


def check(
    sources: Sequence[ImageSource],
    loaded: LoadedModel,
    directions: int,
    seed: int,
    derivatives: str,
) -> Findings:
    """Return the checks of the derivatives of the top prediction at each image.

    After Ctrl-C, they are those of the images checked by then.
    """
    findings = Findings(len(sources), {}, [])
    options: dict[str, Any] = {
        "directions": directions,
        "seed": seed,
        "derivatives": derivatives,
    }
    progress = LiveProgress(console.stderr_console(), len(sources), "Checking")
    with contextlib.suppress(KeyboardInterrupt), progress:
        for source in sources:
            try:
                inputs = loaded.prepare(source.read(loaded.size).pixels[None])
            except ValueError as error:
                console.print_message(f"{source.name} {printable(str(error))}", "red")
                findings.failures.append(source.name)
            else:
                found = ke.check_gradients(loaded.model, inputs, "predicted", **options)
                findings.checks[source.name] = found
            progress.finish(1)
    return findings


def table(findings: Findings) -> str:
    """Return a line on how many derivatives agree, and a table of the others."""
    checks = findings.checks
    agreeing = sum(each.agreeing for each in checks.values())
    total = sum(len(each.comparisons) for each in checks.values())
    rows = [
        row | {"image": printable(name)}
        for name, each in checks.items()
        for row in each.rows
    ]
    # "float64" comes before "model".
    precision = max((each.precision for each in checks.values()), default="float64")
    kept = {name: None for each in checks.values() for name in each.uncorrected}
    caption = caption_of(agreeing, total, precision, [*kept])
    return (
        table_format.text(caption, table_format.columns_of(rows)) if rows else caption
    )
