"""The command ``explore``: its options and help text."""

from typing import Annotated

import typer

from keras_explainable.cli import console, options
from keras_explainable.common import installation


def explore(
    paths: options.Paths = None,
    model: options.ModelName = "demo",
    preprocess: options.Preprocess = None,
    class_names: options.ClassNames = None,
    resize: options.Resize = "crop",
    port: Annotated[int, typer.Option(metavar="N", help="Port of the server.")] = 8642,
    browser: Annotated[
        bool, typer.Option(help="Open the page in the browser, or only print it.")
    ] = True,
) -> None:
    r"""Explore maps on a page: move the noise, and watch the map sharpen.

    The page is served to this machine alone, under an address with a secret
    token. It shows the map of an image as it is computed, with its error.
    Pictures can be dropped onto it. Ctrl-C ends it.

    Images, models, --preprocess, --class-names and --resize are those of
    [bold]keras-explainable explain[/]. Any model may be explored without images.

    [bold]Examples[/]

    keras-explainable explore
    keras-explainable explore photos/ --model MobileNetV2
    keras-explainable explore --model mine.keras --preprocess unit --no-browser

    [bold]Exit codes[/]

    0: ended with Ctrl-C. 2: wrong usage.
    """
    with console.exit_on_error():
        installation.check()
        from keras_explainable.cli import explorer_input

        given = paths or [], model, preprocess, class_names, resize
        explorer_input.explore(*given, port=port, open_browser=browser)
