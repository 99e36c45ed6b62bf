"""The page a person reads: one file, no script, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import functools
import importlib.resources
import io
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from keras_explainable import colors
from keras_explainable.report.panels import CAPTIONS, Pixels, views
from keras_explainable.report.records import Explanation, Noise, Prediction

__all__ = ["METHODS", "card", "foot", "head"]

#: Names of the methods as people write them.
METHODS = {
    "smoothgrad": "SmoothGrad",
    "smoothgrad_squared": "SmoothGrad-squared",
    "vargrad": "VarGrad",
    "gradients": "Gradients",
    "input_x_gradient": "Input x gradient",
    "integrated_gradients": "Integrated gradients",
    "guided_gradients": "Guided gradients",
    "full_gradients": "Full gradients",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "scorecam": "Score-CAM",
    "occlusion": "Occlusion",
    "rise": "RISE",
}

#: Methods whose maps are derivatives by the pixels.
DERIVATIVES = ("smoothgrad", "smoothgrad_squared", "vargrad", "gradients")

_LOSSLESS_SIDE = 160  # pixels: pictures up to this stay exact, larger ones are photos

_SETTINGS = {
    "model": "Model",
    "method": "Method",
    "target": "Classes explained",
    "repetitions": "Noisy copies",
    "noise_level": "Noise level",
    "tolerance": "Enough at a relative error of",
    "seed": "Seed",
    "preprocessing": "Preprocessing",
}


def head(summary: dict[str, Any]) -> str:
    """Return the page up to the first picture: title, notices, how it was made."""
    method = METHODS.get(summary["method"], summary["method"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(method)} of {escape(summary["model"])}</title>
<style>
{_stylesheet()}</style>
</head>
<body>
<header>
<h1>What did the network look at?</h1>
<p class="lead">{escape(_lead(summary, method))}</p>
{_legend(summary["method"])}
{_notices(summary)}
<dl class="settings">{_settings(summary, method)}</dl>
</header>
<main>
"""


def card(explanation: Explanation, key: str, method: str) -> str:
    """Return the part of the page for one picture."""
    rows = "".join(
        _row(explanation, number, METHODS.get(method, method))
        for number in range(len(explanation.explained))
    )
    name = escape(explanation.name)
    return f"""<article id="{escape(key)}">
<h2>{name}</h2>
<div class="rows">{rows}</div>
<aside><h3>Prediction</h3>
<ol class="scores">{"".join(map(_score, _likely(explanation.predictions)))}</ol>
{_noise(explanation.noise)}</aside>
</article>
"""


def foot(summary: dict[str, Any]) -> str:
    """Return the rest of the page: with what it was made, and when."""
    names = [name for name in summary["versions"] if name != "backend"]
    made_with = ", ".join(f"{name} {summary['versions'][name]}" for name in names)
    return f"""</main>
<footer><p>Made {escape(summary["started"][:10])} in {summary["seconds"]:.0f} seconds
with {escape(made_with)}. The maps as numbers are in <code>maps.npz</code>, all facts in
<code>manifest.json</code>, single pictures in <code>panels/</code>.</p></footer>
</body>
</html>
"""


@functools.cache
def _stylesheet() -> str:
    folder = importlib.resources.files("keras_explainable.report")
    return (folder / "page.css").read_text(encoding="utf-8")


def _lead(summary: dict[str, Any], method: str) -> str:
    count = len(summary["images"])
    return f"{count} {_plural('image', count)}, explained by {method}."


def _legend(method: str) -> str:
    meaning = "What the score of the class depends on"
    if method in DERIVATIVES:
        meaning = "Where a small change of a pixel changes the score of the class"
    scale = colors.colorize(np.linspace(0, 1, 128, dtype="float32")[None])
    return f"""<p class="legend">{meaning} <em>little</em>
<img class="scale" alt="dark to bright" src="{_data_uri(scale)}"> <em>much</em>.
The brightest percent of each map is shown alike.</p>"""


def _notices(summary: dict[str, Any]) -> str:
    notices = []
    if summary["interrupted"]:
        notices.append(
            '<p class="notice">The run was interrupted; what was done by '
            "then is here.</p>"
        )
    if failures := summary["failures"]:
        items = "".join(
            f"<li><strong>{escape(failure['name'])}</strong> "
            f"{escape(failure['reason'])}</li>"
            for failure in failures
        )
        count = len(failures)
        notices.append(
            f'<section class="notice"><h2>{count} {_plural("image", count)} could not '
            f"be explained</h2><ul>{items}</ul></section>"
        )
    return "\n".join(notices)


def _settings(summary: dict[str, Any], method: str) -> str:
    shown = {**summary, "method": method}
    if summary["noise_level"] is not None:
        shown["noise_level"] = f"{summary['noise_level']:.3g} of each image’s range"
    return "".join(
        f"<div><dt>{label}</dt><dd>{escape(str(shown[key]))}</dd></div>"
        for key, label in _SETTINGS.items()
        if shown[key] is not None
    )


def _row(explanation: Explanation, number: int, method: str) -> str:
    class_ = explanation.explained[number]
    label, name = class_.label, explanation.name
    texts = (
        f"{name}, as the network saw it",
        f"{method} map of {name} for {label}",
        f"{method} map for {label} laid over {name}",
    )
    figures = "".join(
        f'<figure class="{caption}"><img src="{_data_uri(pixels)}" '
        f'{_size(pixels)} alt="{escape(text)}"><figcaption>{caption}</figcaption>'
        "</figure>"
        for pixels, caption, text in zip(
            views(explanation, number), CAPTIONS, texts, strict=True
        )
    )
    return f"""<section><h3>{escape(label)} <span>{class_.shown}</span></h3>
<div class="views">{figures}</div></section>
"""


def _size(pixels: Pixels) -> str:
    height, width = pixels.shape[:2]
    crisp = ' class="crisp"' if max(height, width) <= _LOSSLESS_SIDE else ""
    return f'width="{width}" height="{height}"{crisp}'


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


def _noise(noise: Noise | None) -> str:
    if noise is None:
        return ""
    errors = ", ".join(
        "not known" if error is None else f"{error:.2g}"
        for error in noise.relative_error
    )
    return f"""<h3>Noise</h3>
<dl class="noise"><div><dt>σ, in units of the model’s input</dt>
<dd>{noise.sigma:.3g}</dd></div>
<div><dt>Noisy copies</dt><dd>{noise.repetitions}</dd></div>
<div><dt>Relative error left</dt><dd>{errors}</dd></div>
<div><dt>Copies taken for another class</dt><dd>{noise.flip_rate:.0%}</dd></div></dl>"""


def _data_uri(pixels: Pixels) -> str:
    """Return a picture as text: exact if small, as JPEG where that is far smaller."""
    image = Image.fromarray(pixels)
    kind = "png" if max(image.size) <= _LOSSLESS_SIDE else "jpeg"
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=90, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
