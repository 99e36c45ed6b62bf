"""Options that several commands have, with their help texts."""

import pathlib
from typing import Annotated

import typer

Paths = Annotated[
    list[pathlib.Path] | None,
    typer.Argument(
        metavar="PATHS", help="Images or folders; by default, bundled images."
    ),
]
ModelName = Annotated[
    str, typer.Option(metavar="NAME", help="demo, a file or a model name.")
]
Target = Annotated[str, typer.Option(metavar="WHAT", help="top1, top3, index or name.")]
Repetitions = Annotated[
    int, typer.Option(metavar="N", help="Noisy copies of each image.")
]
NoiseLevel = Annotated[
    float, typer.Option(metavar="F", help="Noise sigma / (max - min).")
]
BatchSize = Annotated[int, typer.Option(metavar="B", help="Image copies per batch.")]
Layer = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=r"Layer of CAMs. \[default: the last]"),
]
Resize = Annotated[
    str, typer.Option(metavar="HOW", help="crop, pad or stretch images.")
]
Out = Annotated[pathlib.Path, typer.Option(metavar="DIR", help="Output folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an unfinished run.")]
Preprocess = Annotated[
    str | None,
    typer.Option(metavar="KIND", help=r"Scaling for a model file. \[default: none]"),
]
ClassNames = Annotated[
    pathlib.Path | None,
    typer.Option(metavar="FILE", help=r"Names of classes. \[default: none]"),
]
