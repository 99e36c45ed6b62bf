"""The part of the page for one picture."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from keras_explainable.report import page_colormaps, panel_image
from keras_explainable.report.explanation_records import (
    METHODS,
    Explanation,
    Maps,
    Noise,
    Prediction,
)

__all__ = ["card"]

_LOSSLESS_SIDE = 160  # pixels: pictures up to this stay exact, larger ones are photos


def card(explanation: Explanation, key: str) -> str:
    """Return the part of the page for one picture.

    The picture and each map are in it once, as properties of its style, from where all
    views of them take them.
    """
    rows = "".join(
        _row(explanation, number) for number in range(len(explanation.explained))
    )
    height, width = explanation.image.shape[:2]
    crisp = ' class="crisp"' if max(height, width) <= _LOSSLESS_SIDE else ""
    style = f"--ratio:{width}/{height};--image:{_url(explanation.image)}"
    return f"""<article id="{escape(key)}" tabindex="-1"{crisp} {_facts(explanation)}
style="{style}">
<h2>{escape(explanation.name)}</h2>
<div class="rows">{rows}</div>
<aside><h3>Prediction</h3>
<ol class="scores">{"".join(map(_score, _likely(explanation.predictions)))}</ol>
{"".join(_noise(maps, len(explanation.maps)) for maps in explanation.maps)}</aside>
</article>
"""


def _facts(explanation: Explanation) -> str:
    """Return by what pictures are sorted."""
    errors = [
        error
        for maps in explanation.maps
        for error in (maps.noise.relative_error if maps.noise else ())
        if error is not None
    ]
    error = f"{max(errors):.4g}" if errors else ""
    score = f"{explanation.predictions[0].score:.6g}"
    return f'data-score="{score}" data-error="{error}"'


def _row(explanation: Explanation, number: int) -> str:
    class_ = explanation.explained[number]
    name, count = explanation.name, len(explanation.maps)
    views = "".join(
        _views(maps, number, class_.label, name, count) for maps in explanation.maps
    )
    image = _figure("image", f"{name}, as the network saw it", "image")
    several = f' style="--methods:{count}"' if count > 1 else ""
    return f"""<section><h3>{escape(class_.label)} <span>{class_.shown}</span></h3>
<div class="views{" several" if several else ""}"{several}>{image}
{views}</div></section>
"""


def _views(maps: Maps, number: int, label: str, name: str, count: int) -> str:
    """Return a map by itself, and laid over the picture."""
    method = METHODS.get(maps.method, maps.method)
    pixels = page_colormaps.grey(
        panel_image.clipped(maps.values[..., number]), maps.signed
    )
    kind = "maps signed" if maps.signed else "maps"
    which = f"{method} " if count > 1 else ""
    map_ = _figure("map", f"{method} map of {name} for {label}", f"{which}map")
    over = f"{method} map for {label} laid over {name}"
    overlay = _figure("overlay", over, f"{which}overlay")
    return f'<div class="{kind}" style="--map:{_url(pixels)}">{map_}{overlay}</div>'


def _figure(kind: str, text: str, caption: str) -> str:
    layers = "<i></i><i></i>" if kind == "overlay" else "<i></i>"
    return (
        f'<figure class="{kind}"><div role="img" aria-label="{escape(text)}">{layers}'
        f"</div><figcaption>{escape(caption)}</figcaption></figure>"
    )


def _likely(predictions: tuple[Prediction, ...]) -> list[Prediction]:
    """Return the best class, and others unless their probability is next to none."""
    best, *others = predictions
    return [best, *(one for one in others if one.score >= 0.001 or not one.probability)]


def _score(class_: Prediction) -> str:
    bar = ""
    if class_.probability:
        bar = f'<i style="width:{100 * class_.score:.1f}%"></i>'
    return (
        f"<li><b>{escape(class_.label)}</b> <span>{escape(class_.shown)}</span>"
        f'<div class="bar" aria-hidden="true">{bar}</div></li>'
    )


def _noise(maps: Maps, count: int) -> str:
    if maps.noise is None:
        return ""
    noise: Noise = maps.noise
    errors = ", ".join(
        "not known" if error is None else f"{error:.2g}"
        for error in noise.relative_error
    )
    of = f" of {METHODS.get(maps.method, maps.method)}" if count > 1 else ""
    return f"""<h3>Noise{escape(of)}</h3>
<dl class="noise"><div><dt>σ, in units of the model’s input</dt>
<dd>{noise.sigma:.3g}</dd></div>
<div><dt>Noisy copies</dt><dd>{noise.repetitions}</dd></div>
<div><dt>Relative error left</dt><dd>{errors}</dd></div>
<div><dt>Copies taken for another class</dt><dd>{noise.flip_rate:.0%}</dd></div></dl>"""


def _url(pixels: np.ndarray) -> str:
    """Return a picture as text: exact if small, as JPEG where that is far smaller."""
    image = Image.fromarray(pixels)
    kind = "png" if max(image.size) <= _LOSSLESS_SIDE else "jpeg"
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=90, optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"url(data:image/{kind};base64,{text})"
