"""The start and end of the page: one file that fetches nothing."""

from collections.abc import Iterable
from html import escape
from typing import Any

from keras_explainable.report import page_colormaps, page_document
from keras_explainable.report.explanation_records import METHODS

#: Methods whose maps are derivatives with respect to the pixels.
_DERIVATIVES = ("smoothgrad", "smoothgrad_squared", "vargrad", "gradients")

#: Script beside several pages with the texts that are searched.
SEARCH_TEXTS = "search.js"

_SETTINGS = {
    "model": "Model",
    "methods": "Method",
    "layer": "Layer of class activation maps",
    "target": "Classes explained",
    "repetitions": "Noisy copies",
    "noise_level": "Noise level",
    "estimator": "SmoothGrad estimator",
    "tolerance": "Tolerance (relative error)",
    "sweep": "Sweep",
    "seed": "Seed",
    "preprocessing": "Preprocessing",
    "resize": "Fitting of images",
}


def head(
    summary: dict[str, Any], links: str = "", files: bool = False, page: int = 0
) -> str:
    """Return the page up to the first image: title, legend, notices and settings.

    Args:
        summary: The facts of the report.
        links: HTML with links to other pages.
        files: Whether pictures are in files beside the page.
        page: Number of the page, if there are links to others.
    """
    # `self` is the site if the folder is served, and nothing if it is opened as files.
    sources = "data: 'self' file:" if files else "data:"
    method = page_document.listing([METHODS[name] for name in summary["methods"]])
    title = f"{method} of {summary['model']}"
    start = page_document.start(title, sources, ["page.css"], "page.js", bool(links))
    images = page_document.images_text(summary["images"])
    has_errors = bool(summary["repetitions"])
    return f"""{start}{page_colormaps.filters()}
<header>
<h1>What did the network look at?</h1>
<p class="lead">{images} explained with {escape(method)}.</p>
{legend(summary["methods"], _is_signed(summary))}
{page_document.notices(summary, "explained")}
{_settings(summary, method)}
</header>
{controls(_is_signed(summary), True, has_errors, _sliders(summary))}
{_elsewhere(page) if links else ""}{links}
<main{_cell(summary)}>
"""


def _elsewhere(page: int) -> str:
    """Return the paragraph in which the script tells what other pages have."""
    return (
        f'<p id="elsewhere" role="status" data-page="{page}" '
        f'data-texts="{SEARCH_TEXTS}" hidden></p>\n'
    )


def foot(summary: dict[str, Any], links: str = "") -> str:
    """Return the end of the page: links, creation date, versions and other files."""
    work = "Loading the network and explaining the images"
    return f"""</main>
{links}
<footer><p>{page_document.creation(summary, work)} The maps are stored as arrays in
<code>maps.npz</code>, the settings and predictions in <code>manifest.json</code>, and
a picture of each image with its maps in <code>panels/</code>.</p></footer>
<script>{page_document.resource("page.js")}</script>
</body>
</html>
"""


def legend(methods: Iterable[str], is_signed: bool) -> str:
    """Return what the colours mean.

    Args:
        methods: Names of the methods.
        is_signed: Whether any map is signed.
    """
    meaning = "Colours show how much the score of the class depends on each pixel"
    if {*methods} <= {*_DERIVATIVES}:
        meaning = "Colours show how much a small change of a pixel changes the score"
    signed = ""
    if is_signed:
        signed = """<br>Signed maps show evidence <em>against</em> the class
<span class="scale signed"></span> and <em>for</em> it."""
    return f"""<p class="legend">{meaning}: <em>little</em>
<span class="scale"></span> <em>much</em>.
The top 1 % of each map’s values share the brightest colour.{signed}</p>"""


def _is_signed(summary: dict[str, Any]) -> bool:
    return any(maps["signed"] for image in summary["images"] for maps in image["maps"])


def controls(
    is_signed: bool,
    has_scores: bool,
    has_errors: bool,
    sliders: Iterable[tuple[str, str, str]] = (),
) -> str:
    """Return the form that the script operates; without the script it is hidden.

    Args:
        is_signed: Whether any map is signed.
        has_scores: Whether images can be sorted by a score.
        has_errors: Whether images can be sorted by an error.
        sliders: Label, name and HTML of further controls.
    """
    orders = [
        ("given", "input order"),
        ("name", "name"),
        *([("highest", "highest score"), ("lowest", "lowest score")] * has_scores),
        *([("error", "largest error")] * has_errors),
    ]
    colors = [(name, name) for name in page_colormaps.COLORMAPS]
    signs = [("signed", "for and against"), ("absolute", "absolute")]
    fields = [
        ("Find", "find", '<input id="find" type="search" placeholder="name or class">'),
        ("Sort", "sort", _select("sort", orders)),
        ("Colours", "colors", _select("colors", colors)),
        *([("Signs", "signs", _select("signs", signs))] * is_signed),
        ("Overlay", "cover", '<input id="cover" type="range" value="95">'),
        *sliders,
    ]
    shown = "\n".join(
        f'<span><label for="{name}">{label}</label> {control}</span>'
        for label, name, control in fields
    )
    return f"""<form id="tools" aria-label="Display options" hidden>
{shown}
<p><output id="count"></output> <kbd>/</kbd> find <kbd>j</kbd> next <kbd>k</kbd>
previous</p>
</form>"""


def _sliders(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the controls of a sweep: sliders over rows and columns of its grid."""
    if not (sweep := summary.get("sweep")):
        return []
    row, column = _place(summary)
    levels = [f"{100 * level:.3g} %" for level in sweep["noise_levels"]]
    counts = [f"{count}" for count in sweep["repetitions"]]
    return [
        ("Noise level", "row", _slider("row", levels, row)),
        ("Noisy copies", "column", _slider("column", counts, column)),
    ]


def _slider(name: str, values: list[str], place: int) -> str:
    return (
        f'<input id="{name}" type="range" max="{len(values) - 1}" value="{place}" '
        f'aria-valuetext="{values[place]}" data-values="{"|".join(values)}">'
        f'<output for="{name}">{values[place]}</output>'
    )


def _place(summary: dict[str, Any]) -> tuple[int, int]:
    """Return the row and the column of the settings of the run in its sweep."""
    levels, counts = (summary["sweep"][x] for x in ("noise_levels", "repetitions"))
    return levels.index(summary["noise_level"]), counts.index(summary["repetitions"])


def _cell(summary: dict[str, Any]) -> str:
    """Return the style by which the maps of a sweep show one of them."""
    if not (sweep := summary.get("sweep")):
        return ""
    row, column = _place(summary)
    rows, columns = len(sweep["noise_levels"]), len(sweep["repetitions"])
    places = f"--row:{row};--column:{column};--rows:{rows};--columns:{columns}"
    return f' style="{places}"'


def _select(name: str, options: list[tuple[str, str]]) -> str:
    items = "".join(f'<option value="{key}">{text}</option>' for key, text in options)
    return f'<select id="{name}">{items}</select>'


def _settings(summary: dict[str, Any], method: str) -> str:
    shown = {**summary, "methods": method}
    if summary["noise_level"] is not None:
        shown["noise_level"] = f"{summary['noise_level']:.3g} of each image’s range"
    if sweep := summary.get("sweep"):
        levels, counts = len(sweep["noise_levels"]), len(sweep["repetitions"])
        shown["sweep"] = f"{levels} noise levels x {counts} numbers of copies"
    return page_document.settings(_SETTINGS, shown)
