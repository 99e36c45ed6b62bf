"""The page of a training: maps of the same images, epoch by epoch."""

import urllib.parse
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from keras_explainable.report import figures, html_page, page_colormaps, page_document
from keras_explainable.report.explanation_records import METHODS

_SETTINGS = {"model": "Model", "methods": "Method", "every": "Epochs between maps"}


def page(summary: dict[str, Any]) -> str:
    """Return the page.

    Args:
        summary: What ``manifest.json`` holds: the images, and the maps of each epoch.
    """
    methods = page_document.listing([_title(name) for name in summary["methods"]])
    images = page_document.images_text(summary["images"])
    first, last = (summary["epochs"][n]["epoch"] for n in (0, -1))
    signed = any(maps["signed"] for maps in _every_maps(summary))
    work = "The latest training, from its first maps to its last,"
    cards = "\n".join(_card(summary, n) for n in range(len(summary["images"])))
    return f"""{_start(summary, methods)}{page_colormaps.filters()}
<header>
<h1>What did the network look at while it was trained?</h1>
<p class="lead">{images} explained with {escape(methods)}, after {first} to {last}
epochs.</p>
{html_page.legend(summary["methods"], signed)}
{page_document.settings(_SETTINGS, summary | {"methods": methods})}
{_logs(summary["epochs"])}
</header>
{html_page.controls(signed, has_scores=False, has_errors=False)}
<main>
{cards}
</main>
<footer><p>{page_document.creation(summary, work)} Each map is scaled to its own largest
value, and the number below it is the score that it explains. The scores are stored in
<code>manifest.json</code>, and a picture of each epoch in the folder of each method.
</p></footer>
<script>{page_document.resource("page.js")}</script>
</body>
</html>
"""


def _start(summary: dict[str, Any], methods: str) -> str:
    title = f"{methods} of {summary['model']} in training"
    sources, styles = "data: 'self' file:", ["page.css", "training.css"]
    return page_document.start(title, sources, styles, "page.js")


def _card(summary: dict[str, Any], number: int) -> str:
    """Return what shows an image: a section for each unit and each method."""
    image = summary["images"][number]
    units = range(len(next(_every_maps(summary))["scores"][number]))
    sections = "\n".join(
        _section(summary, method, number, unit)
        for unit in units
        for method in summary["methods"]
    )
    width, height = image["size"]
    style = f"--ratio:{width}/{height};--image:{_url(image['picture'])}"
    crisp = ' class="crisp"' if image["is_small"] else ""
    return f"""<article id="image-{number}" tabindex="-1"{crisp} style="{style}">
<h2>Image {number}</h2>
<div class="rows">{sections}</div>
</article>"""


def _section(summary: dict[str, Any], method: str, number: int, unit: int) -> str:
    """Return the maps of an image by one method, from one epoch to the next."""
    epochs = summary["epochs"]
    units = {each["maps"][method]["units"][number][unit] for each in epochs}
    # A unit that is not the same in all epochs is told below each map instead.
    explained = next(iter(units)) if len(units) == 1 else ""
    image = figures.figure("image", f"image {number}", "image")
    shown = "".join(
        _epoch(each, method, number, unit, names_unit=not explained) for each in epochs
    )
    title = f"{escape(_title(method))} <span>{escape(explained)}</span>"
    return f"""<section><h3>{title}</h3>
<div class="figures several" style="--methods:{len(epochs)}">{image}{shown}</div>
</section>"""


def _epoch(
    epoch: dict[str, Any], method: str, number: int, unit: int, names_unit: bool
) -> str:
    """Return the figures of a map after some epochs, and of its overlay."""
    maps = epoch["maps"][method]
    score, own, file = (maps[x][number][unit] for x in ("scores", "units", "files"))
    after = f"epoch {epoch['epoch']}"
    text = f"{_title(method)} map of image {number}, {after}"
    below = f"{own if names_unit else 'score'}: {score:.3g}"
    overlay = figures.Shown(f"{text}, overlaid on the image", below)
    shown = figures.Shown(text, after)
    kinds = ["signed"] * maps["signed"]
    return figures.map_figures(_url(file), kinds, shown, overlay)


def _every_maps(summary: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for epoch in summary["epochs"]:
        yield from epoch["maps"].values()


def _title(method: str) -> str:
    return METHODS.get(method, method)


def _url(file: str) -> str:
    return f"url({urllib.parse.quote(file)})"


def _logs(epochs: Sequence[dict[str, Any]]) -> str:
    """Return the table of the loss and the metrics, if there are any."""
    names = list(dict.fromkeys(name for each in epochs for name in each["logs"]))
    if not names:
        return ""
    head = "".join(f'<th scope="col">{escape(x)}</th>' for x in ["epoch", *names])
    rows = "".join(
        f'<tr><th scope="row">{each["epoch"]}</th>{_cells(each["logs"], names)}</tr>'
        for each in epochs
    )
    return (
        "<details><summary>Loss and metrics</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _cells(logs: dict[str, float], names: Sequence[str]) -> str:
    texts = (f"{logs[name]:.4g}" if name in logs else "" for name in names)
    return "".join(f"<td>{text}</td>" for text in texts)
