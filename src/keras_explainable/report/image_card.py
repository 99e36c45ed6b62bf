"""The card of one image on the page: its maps and predictions."""

import json
from html import escape

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting.seen_part import WHOLE, SeenPart
from keras_explainable.report import explanation_records as records
from keras_explainable.report import figures

_NOISE = (
    "Noise level",
    "σ, in units of the model’s input",
    "Noisy copies",
    "Estimator",
    "Relative error",
    "Copies with another prediction",
)


def card(explanation: records.Explanation, key: str) -> str:
    """Return the HTML of one image.

    The image and each map are embedded once, in CSS variables that the figures use.
    """
    rows = "".join(_row(explanation, n) for n in range(len(explanation.explained)))
    height, width = explanation.shown.shape[:2]
    image = f"--image:{figures.data_url(explanation.shown)}"
    style = f"--ratio:{width}/{height};{_place(explanation.seen)}{image}"
    return f"""<article id="{escape(key)}" tabindex="-1"{_classes(explanation)}
{_sort_keys(explanation)} style="{style}">
<h2>{escape(explanation.name)}</h2>
<div class="rows">{rows}{_part(explanation)}</div>
<aside><h3>Prediction</h3>
<ol class="scores">{"".join(map(_score, _listed(explanation.predictions)))}</ol>
{"".join(_noise(maps, len(explanation.maps)) for maps in explanation.maps)}</aside>
</article>
"""


def _classes(explanation: records.Explanation) -> str:
    names = ["crisp"] if figures.is_small(explanation.shown) else []
    if not explanation.seen.is_whole:
        names.append("part")
    return f' class="{" ".join(names)}"' if names else ""


def _place(seen: SeenPart) -> str:
    """Return where maps lie on the picture, if not on all of it."""
    if seen == WHOLE:
        return ""
    sides = {
        "left": seen.left,
        "top": seen.top,
        "width": seen.right - seen.left,
        "height": seen.bottom - seen.top,
    }
    return "".join(f"--{name}:{100 * side:.4g}%;" for name, side in sides.items())


def _part(explanation: records.Explanation) -> str:
    if not (text := explanation.part_text):
        return ""
    return f"<p>T{text[1:]}; the rest was cropped, and is grey in the maps.</p>"


def _sort_keys(explanation: records.Explanation) -> str:
    """Return the attributes by which the script sorts the cards."""
    noises = [maps.noise for maps in explanation.maps if maps.noise]
    errors = [e for noise in noises for e in noise.relative_error if e is not None]
    error = f"{max(errors):.4g}" if errors else ""
    score = f"{explanation.predictions[0].score:.6g}"
    return f'data-score="{score}" data-error="{error}"'


def _row(explanation: records.Explanation, number: int) -> str:
    class_ = explanation.explained[number]
    name, count = explanation.name, len(explanation.maps)
    maps = "".join(
        _figures(maps, number, class_.label, name, count) for maps in explanation.maps
    )
    image = figures.figure("image", _image_text(explanation), "image")
    return f"""<section><h3>{escape(class_.label)} <span>{class_.score_text}</span></h3>
<div class="figures{" several" if count > 1 else ""}">{image}
{maps}</div></section>
"""


def _image_text(explanation: records.Explanation) -> str:
    part = explanation.part_text
    return f"{explanation.name}; {part}" if part else explanation.name


def _figures(maps: records.Maps, number: int, label: str, name: str, count: int) -> str:
    """Return the figures of a map and of its overlay on the image."""
    method = records.METHODS[maps.method]
    pixels = _greys(maps, number)
    prefix = f"{method} " if count > 1 else ""
    shown = figures.Shown(f"{method} map of {name} for {label}", f"{prefix}map")
    text = f"{method} map for {label} overlaid on {name}"
    overlay = figures.Shown(text, f"{prefix}overlay")
    url = figures.data_url(pixels, max(maps.values.shape[:2]))
    kinds = [*["signed"] * maps.signed, *["sweep"] * bool(maps.sweep)]
    return figures.map_figures(url, kinds, shown, overlay)


def _greys(maps: records.Maps, number: int) -> NDArray[np.uint8]:
    """Return a map in grey, or those of a sweep in rows and columns."""
    if maps.sweep:
        rows = [[_greys(one, number) for one in row] for row in maps.sweep]
        return np.block(rows)
    return figures.grey_map(maps.values[..., number], maps.signed)


def _listed(predictions: tuple[records.Prediction, ...]) -> list[records.Prediction]:
    """Return the best class, and others with a probability of at least 0.001."""
    best, *others = predictions
    return [best, *(one for one in others if one.score >= 0.001 or not one.probability)]


def _score(class_: records.Prediction) -> str:
    bar = f' style="--share:{100 * class_.score:.1f}%"' if class_.probability else ""
    label, score = escape(class_.label), escape(class_.score_text)
    return f"<li{bar}><b>{label}</b> <span>{score}</span></li>"


def _noise(maps: records.Maps, count: int) -> str:
    if (noise := maps.noise) is None:
        return ""
    of = f" of {records.METHODS[maps.method]}" if count > 1 else ""
    items = zip(_NOISE, _noise_texts(noise), strict=True)
    rows = "".join(
        f"<div><dt>{label}</dt><dd>{escape(text)}</dd></div>\n" for label, text in items
    )
    return f"""<h3>Noise{escape(of)}</h3>
<dl class="noise"{_swept(maps)}>{rows.rstrip()}</dl>"""


def _noise_texts(noise: records.Noise) -> tuple[str, ...]:
    """Return what the card says of a noise, in the order of ``_NOISE``."""
    errors = ", ".join(
        "unknown" if error is None else f"{error:.2g}" for error in noise.relative_error
    )
    return (
        f"{noise.noise_level:.3g}",
        f"{noise.sigma:.3g}",
        f"{noise.repetitions}",
        noise.estimator,
        errors,
        "unknown" if noise.flip_rate is None else f"{noise.flip_rate:.0%}",
    )


def _swept(maps: records.Maps) -> str:
    """Return the attribute by which the script changes what is said of the noise."""
    if not maps.sweep:
        return ""
    texts = [
        [_noise_texts(one.noise) for one in row if one.noise] for row in maps.sweep
    ]
    return f' data-sweep="{escape(json.dumps(texts, separators=(",", ":")))}"'
