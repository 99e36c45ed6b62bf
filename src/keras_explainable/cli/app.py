"""The options of the command, as people type and read them."""

from __future__ import annotations

import pathlib
import time
from typing import Annotated

import typer

from keras_explainable import __version__
from keras_explainable.cli import console
from keras_explainable.cli.settings import Settings

__all__ = ["app"]

app = typer.Typer(
    name="keras-explainable",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keras-explainable {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """What did a Keras network look at?

    Makes saliency maps: bright where a small change of a pixel changes what the
    network says most. For a demonstration: [bold]keras-explainable explain[/]
    """


@app.command()
def explain(
    paths: Annotated[
        list[pathlib.Path] | None,
        typer.Argument(
            metavar="IMAGES or FOLDERS",
            help="None: the demo's own images.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="demo, a file, or a name.")
    ] = "demo",
    method: Annotated[
        str, typer.Option(metavar="NAMES", help="Of those above; commas.")
    ] = "smoothgrad",
    target: Annotated[
        str, typer.Option(metavar="WHAT", help="top1, top3, or a class index.")
    ] = "top1",
    repetitions: Annotated[
        int, typer.Option(metavar="N", help="Noisy copies of each image.")
    ] = 50,
    noise_level: Annotated[
        float, typer.Option(metavar="F", help="Sigma, in parts of max - min.")
    ] = 0.15,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="Of smoothgrad; see above.")
    ] = "sampled",
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            help=r"Relative error to stop at. \[default: none]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Same seed, same maps.")] = 0,
    batch_size: Annotated[
        int, typer.Option(metavar="B", help="Rows (image copies) at once.")
    ] = 32,
    preprocess: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help=r"For a model file. \[default: none]",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        pathlib.Path, typer.Option(metavar="DIR", help="Folder for results.")
    ] = pathlib.Path("explanations"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished run.")
    ] = False,
) -> None:
    r"""Show what a network looked at in each image.

    Open [bold]index.html[/] in the output folder to see it. Beside it are panels/
    (a PNG per image), maps.npz (maps as numbers) and manifest.json (all facts).

    [bold]Images[/] are turned upright, scaled by their shorter side to the model's
    size, and cropped at the centre. Folders are searched with all below them.

    [bold]Models[/] are demo, a .keras or .h5 file, or a name of keras.applications
    such as MobileNetV2. A file gets pixels as --preprocess says: none (0..255,
    for models that rescale inside), unit (0..1), tf (-1..1), torch or caffe
    (as ImageNet models of these origins take them).

    [bold]Methods[/] are smoothgrad, smoothgrad_squared, vargrad (these take copies,
    noise and tolerance), gradients, input_x_gradient, integrated_gradients,
    guided_gradients, full_gradients, cam, gradcam, gradcampp, hirescam, layercam,
    scorecam, occlusion and rise. Several with commas are shown side by side.

    [bold]Estimators[/] of smoothgrad are sampled, the mean over the copies; and hybrid
    and slopes, which come as near with far fewer copies, on most large networks.
    hybrid knows its error, slopes does not.

    [bold]Examples[/]

    keras-explainable explain
    keras-explainable explain cat.jpg trip/ --model MobileNetV2 --target top3
    keras-explainable explain trip/ --method smoothgrad,gradients,gradcam
    keras-explainable explain scans/ --model mine.keras --preprocess unit

    [bold]Unfinished runs[/] (killed, interrupted, with failures) leave their complete
    images in unfinished/. With --resume, and the same settings and model, only
    other images are explained; without, all are. Older results stay until the end.

    [bold]Exit code[/]

    0: all done. 1: some images could not be explained, or the disk or the memory
    was full. 2: wrong usage. 130: interrupted. What was done by then is kept.
    """
    started = time.monotonic()
    with console.briefly():
        settings = Settings(
            method,
            target,
            repetitions,
            noise_level,
            estimator,
            tolerance,
            seed,
            batch_size,
        )
        # Later than the check of the options: what they import may take seconds.
        from keras_explainable.cli import run

        job = run.prepare(paths or [], model, preprocess, settings, out, resume)
        report = run.explain(job)
    console.conclude(report, time.monotonic() - started)
    code = 130 if report.interrupted else 1 if report.failures else 0
    raise typer.Exit(code)
