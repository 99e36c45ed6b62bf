"""The command's options and help texts."""

import pathlib
import time
from typing import Annotated

import typer

from keras_explainable import __version__
from keras_explainable.cli import console, explore_command, options
from keras_explainable.cli.engine import Engine
from keras_explainable.cli.evaluation_settings import EvaluationSettings
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
    paths: options.Paths = None,
    model: options.ModelName = "demo",
    directions: Annotated[
        int, typer.Option(metavar="N", help="Random directions for each image.")
    ] = 2,
    derivatives: Annotated[
        str, typer.Option(metavar="WHICH", help="corrected or framework.")
    ] = "corrected",
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the directions.")] = 0,
    preprocess: options.Preprocess = None,
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
    paths: options.Paths = None,
    model: options.ModelName = "demo",
    method: Annotated[
        str, typer.Option(metavar="NAMES", help="Comma-separated names.")
    ] = "smoothgrad",
    target: options.Target = "top1",
    repetitions: options.Repetitions = 64,
    noise_level: options.NoiseLevel = 0.15,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="For smoothgrad; see above.")
    ] = "auto",
    tolerance: Annotated[
        float | None,
        typer.Option(metavar="F", help=r"Relative error to stop at. \[default: none]"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the noise.")] = 0,
    batch_size: options.BatchSize = 32,
    preprocess: options.Preprocess = None,
    layer: options.Layer = None,
    class_names: options.ClassNames = None,
    resize: options.Resize = "crop",
    picture_format: Annotated[
        str, typer.Option("--format", metavar="KIND", help="png, jpeg or webp.")
    ] = "png",
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Add sliders for noise to the page.")
    ] = False,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="local, or ray for many processes.")
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help=r"Processes of ray. \[default: 2]"),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help=r"Cluster of ray. \[default: none]"),
    ] = None,
    out: options.Out = pathlib.Path("explanations"),
    resume: options.Resume = False,
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
    attnlrp, cam, gradcam, gradcampp, hirescam, layercam, scorecam, minmaxcam,
    d_minmaxcam, minmaxgradcam, d_minmaxgradcam, attention_rollout,
    gradient_attention_rollout, transformer_attribution, occlusion and rise.
    Several methods, separated by commas, are shown side by side.

    [bold]Estimators[/] of smoothgrad are sampled, the mean over the noisy copies;
    hybrid, as accurate with far fewer copies on most large networks; and slopes,
    the fastest, whose error is unknown and includes a bias that more copies do
    not reduce. auto is hybrid if all layers are known, and sampled otherwise.

    [bold]Examples[/]

    keras-explainable explain
    keras-explainable explain cat.jpg trip/ --model MobileNetV2 --target top3
    keras-explainable explain trip/ --method smoothgrad,gradients,gradcam
    keras-explainable explain cat.jpg --sweep
    keras-explainable explain scans/ --model mine.keras --preprocess unit

    [bold]--sweep[/] also explains with other noise levels and fewer copies. The page
    has two sliders for them. It uses the estimator sampled.

    [bold]Engines[/] are local, this process, and ray, --workers processes with the
    same results. --address auto uses a Ray cluster that runs already.

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
            sweep,
        )
        where = Engine(engine, workers, address)
        installation.check()
        # Imported after the options are checked: this may take seconds.
        from keras_explainable.cli import run

        given = (paths or [], model, preprocess, settings, out, resume, class_names)
        job = run.prepare(*given, where)
        report = run.explain(job, started)
    console.print_summary(report)
    raise typer.Exit(report.exit_code)


@app.command()
def evaluate(
    paths: options.Paths = None,
    model: options.ModelName = "demo",
    method: Annotated[
        str, typer.Option(metavar="NAMES", help="Comma-separated names.")
    ] = "smoothgrad,gradients,gradcam",
    metric: Annotated[
        str, typer.Option(metavar="NAMES", help="Comma-separated names.")
    ] = "deletion,insertion",
    masks: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="DIR", help=r"Masks of the objects. \[default: none]"),
    ] = None,
    controls: Annotated[
        bool, typer.Option(help="Also score maps that ignore the model.")
    ] = True,
    target: options.Target = "top1",
    repetitions: options.Repetitions = 64,
    noise_level: options.NoiseLevel = 0.15,
    seeds: Annotated[
        int, typer.Option(metavar="N", help="Repetitions of random draws.")
    ] = 2,
    seed: Annotated[int, typer.Option(metavar="S", help="First seed.")] = 0,
    batch_size: options.BatchSize = 32,
    preprocess: options.Preprocess = None,
    layer: options.Layer = None,
    class_names: options.ClassNames = None,
    resize: options.Resize = "crop",
    out: options.Out = pathlib.Path("evaluation"),
    resume: options.Resume = False,
) -> None:
    r"""Compare methods: how good are their maps?

    The maps of each method are scored by each metric. Maps that know nothing of
    the model are scored as well, for comparison. The output folder holds
    [bold]index.html[/], a page with the table, the figure and the differences between
    methods; evaluation.npz, which ke.Evaluation.load reads; and manifest.json, a
    record of the settings and the scores of each image.

    Images, models, methods and all options of the same name are those of
    [bold]keras-explainable explain[/].

    [bold]Metrics[/] are deletion, insertion, degradation_score, pixel_flipping, road,
    faithfulness_correlation, sensitivity_n, single_deletion, infidelity,
    completeness_gap; max_sensitivity, avg_sensitivity,
    local_lipschitz_estimate, input_invariance; mprt, efficient_mprt,
    random_logit; sparseness, complexity, effective_complexity; and, with masks,
    auc, best_iou, pointing_game, relevance_mass_accuracy and
    relevance_rank_accuracy.

    [bold]Masks[/] are images of the same size and name as the images they belong to,
    in any format but JPEG. Pixels that are not 0 lie on the object. The bundled
    images have masks of their own.

    [bold]Examples[/]

    keras-explainable evaluate
    keras-explainable evaluate --metric deletion,auc
    keras-explainable evaluate trip/ --model MobileNetV2 --method gradcam,rise
    keras-explainable evaluate trip/ --metric pointing_game --masks masks/

    [bold]Unfinished runs[/] are continued with --resume, as those of explain.

    [bold]Exit codes[/]

    0: success. 1: some images could not be scored, or the disk or memory was
    full. 2: wrong usage. 130: interrupted. Completed images are always kept.
    """
    started = time.monotonic()
    with console.exit_on_error():
        noise = repetitions, noise_level
        of_maps = Settings(
            method, target, *noise, batch_size=batch_size, layer=layer, resize=resize
        )
        settings = EvaluationSettings(of_maps, metric, controls, seeds, seed)
        installation.check()
        from keras_explainable.cli import evaluation_run as run

        given = (paths or [], model, preprocess, settings, out, resume, masks)
        report = run.evaluate(run.prepare(*given, class_names), started)
    console.print_scores(report)
    raise typer.Exit(report.exit_code)


app.command()(explore_command.explore)
