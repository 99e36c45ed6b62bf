"""The command's options and help texts."""

import pathlib
import time
from typing import Annotated

import typer

from keras_explainable import __version__
from keras_explainable.cli import console
from keras_explainable.cli.settings import Settings
from keras_explainable.common import installation

app = typer.Typer(
    name="keras-explainable",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


_Paths = Annotated[
    list[pathlib.Path] | None,
    typer.Argument(
        metavar="PATHS", help="Images or folders; by default, bundled images."
    ),
]
_ModelName = Annotated[
    str, typer.Option(metavar="NAME", help="demo, a file or a model name.")
]
_Preprocess = Annotated[
    str | None,
    typer.Option(metavar="KIND", help=r"Scaling for a model file. \[default: none]"),
]


def _version(requested: bool) -> None:
    if requested:
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
    """Compute saliency maps: what does a Keras network look at?

    The maps, of SmoothGrad and other methods, are written to a web page with the
    predictions. For a demonstration, run: [bold]keras-explainable explain[/]
    """


@app.command()
def check(
    paths: _Paths = None,
    model: _ModelName = "demo",
    directions: Annotated[
        int, typer.Option(metavar="N", help="Random directions for each image.")
    ] = 2,
    derivatives: Annotated[
        str, typer.Option(metavar="WHICH", help="corrected or framework.")
    ] = "corrected",
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the directions.")] = 0,
    preprocess: _Preprocess = None,
) -> None:
    r"""Check whether a network's derivatives are true.

    Maps are made of derivatives. For each image, that of the top prediction is
    compared with how the prediction changes in random directions. Where they
    differ, a table names the operations to which that is due.

    Images, models and --preprocess are those of [bold]keras-explainable explain[/].

    [bold]Examples[/]

    keras-explainable check
    keras-explainable check cat.jpg --model mine.keras --preprocess unit

    [bold]Exit codes[/]

    0: all derivatives agree. 1: some differ, or images could not be read.
    2: wrong usage. 130: interrupted.
    """
    with console.exit_on_error():
        installation.check()
        from keras_explainable.cli import run

        sources, loaded = run.prepare_check(paths or [], model, preprocess)
        from keras_explainable.cli import check_images

        found = check_images.check(sources, loaded, directions, seed, derivatives)
    typer.echo(check_images.table(found))
    raise typer.Exit(found.code)


@app.command()
def explain(
    paths: _Paths = None,
    model: _ModelName = "demo",
    method: Annotated[
        str, typer.Option(metavar="NAMES", help="Comma-separated names.")
    ] = "smoothgrad",
    target: Annotated[
        str, typer.Option(metavar="WHAT", help="top1, top3 or a class index.")
    ] = "top1",
    repetitions: Annotated[
        int, typer.Option(metavar="N", help="Noisy copies of each image.")
    ] = 64,
    noise_level: Annotated[
        float, typer.Option(metavar="F", help="Noise sigma / (max - min).")
    ] = 0.15,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="For smoothgrad; see above.")
    ] = "auto",
    tolerance: Annotated[
        float | None,
        typer.Option(metavar="F", help=r"Relative error to stop at. \[default: none]"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the noise.")] = 0,
    batch_size: Annotated[
        int, typer.Option(metavar="B", help="Image copies per batch.")
    ] = 32,
    preprocess: _Preprocess = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=r"Layer of CAMs. \[default: the last]"),
    ] = None,
    class_names: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help=r"Names of classes. \[default: none]"),
    ] = None,
    resize: Annotated[
        str, typer.Option(metavar="HOW", help="crop, pad or stretch images.")
    ] = "crop",
    picture_format: Annotated[
        str, typer.Option("--format", metavar="KIND", help="png, jpeg or webp.")
    ] = "png",
    out: Annotated[
        pathlib.Path, typer.Option(metavar="DIR", help="Output folder.")
    ] = pathlib.Path("explanations"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an unfinished run.")
    ] = False,
) -> None:
    r"""Explain a network's predictions for images.

    The output folder holds [bold]index.html[/], a page that shows the results;
    panels/, with one picture per image; maps.npz, the maps as arrays; and
    manifest.json, a record of the settings and predictions.

    [bold]Images[/] are rotated upright (EXIF), resized so that the shorter side fits
    the model's input, and cropped at the centre; or, with --resize, padded with
    black, or stretched. Folders are searched with all their subfolders.

    [bold]Models[/] are demo (the bundled network), a .keras or .h5 file, or a model
    of keras.applications such as MobileNetV2. For a file, --preprocess sets the
    range of its input: none (0..255, for models that rescale inside), unit
    (0..1), tf (-1..1), torch or caffe (as in ImageNet models from there).
    --class-names is a text file with a name in each line, or a JSON file.

    [bold]Methods[/] are smoothgrad, smoothgrad_squared, vargrad (the options for
    repetitions, noise, tolerance and seed apply to these three), gradients,
    input_x_gradient, integrated_gradients, guided_gradients, full_gradients,
    cam, gradcam, gradcampp, hirescam, layercam, scorecam, minmaxcam,
    d_minmaxcam, minmaxgradcam, d_minmaxgradcam, attention_rollout,
    gradient_attention_rollout, transformer_attribution, occlusion and rise.
    Several methods, separated by commas, are shown side by side.

    [bold]Estimators[/] of smoothgrad are sampled, the mean over the noisy copies,
    and hybrid and slopes, which are as accurate with far fewer copies on most
    large networks. hybrid estimates its error; slopes does not. auto is hybrid if
    all layers of the network are known, and sampled otherwise.

    [bold]Examples[/]

    keras-explainable explain
    keras-explainable explain cat.jpg trip/ --model MobileNetV2 --target top3
    keras-explainable explain trip/ --method smoothgrad,gradients,gradcam
    keras-explainable explain scans/ --model mine.keras --preprocess unit

    [bold]Unfinished runs[/] (interrupted, killed, or with failed images) keep their
    completed images in unfinished/. With --resume and the same settings and
    model, only the other images are explained; without it, all of them are.
    Earlier results are replaced only at the end of a run.

    [bold]Exit codes[/]

    0: success. 1: some images could not be explained, or the disk or memory was
    full. 2: wrong usage. 130: interrupted. Completed images are always kept.
    """
    started = time.monotonic()
    with console.exit_on_error():
        settings = Settings(
            method,
            target,
            repetitions,
            noise_level,
            estimator,
            tolerance,
            seed,
            batch_size,
            layer,
            resize,
            picture_format,
        )
        installation.check()
        # Imported after the options are checked: this may take seconds.
        from keras_explainable.cli import run

        given = (paths or [], model, preprocess, settings, out, resume, class_names)
        job = run.prepare(*given)
        report = run.explain(job)
    console.print_summary(report, time.monotonic() - started)
    code = 130 if report.interrupted else 1 if report.failures else 0
    raise typer.Exit(code)
