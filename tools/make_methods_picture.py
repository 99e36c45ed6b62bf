"""Draw the figure of all methods on the page "Choosing a method".

python tools/make_methods_picture.py [docs/_static/methods.webp]
"""

import pathlib
import sys

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import keras_explainable as ke
from keras_explainable.plotting import clipping, colormaps

#: Methods by their titles, for each question that they answer.
QUESTIONS = {
    "Which pixels is the score sensitive to?": {
        "Gradients": "gradient.gradients",
        "SmoothGrad": "gradient.smooth_gradients",
        "VarGrad": "meta.smooth",
        "NoiseGrad": "meta.noise_grad",
        "Guided gradients": "gradient.guided_gradients",
    },
    "How much does each pixel contribute to the score?": {
        "Input × gradient": "gradient.input_x_gradient",
        "Integrated gradients": "gradient.integrated_gradients",
        "Expected gradients": "gradient.expected_gradients",
        "Full gradients": "gradient.full_gradients",
    },
    "Which region supports the class?": {
        "CAM": "cams.cam",
        "Grad-CAM": "cams.gradcam",
        "Grad-CAM++": "cams.gradcampp",
        "HiResCAM": "cams.hirescam",
        "LayerCAM": "cams.layercam",
        "Score-CAM": "cams.scorecam",
        "MinMax-CAM": "cams.minmaxcam",
        "D-MinMax-CAM": "cams.d_minmaxcam",
        "MinMax-Grad-CAM": "cams.minmaxgradcam",
        "D-MinMax-Grad-CAM": "cams.d_minmaxgradcam",
        "Grad-CAM, averaged by tta": "meta.tta",
    },
    "Does the score fall if a part is hidden?": {
        "Occlusion": "perturbation.occlusion",
        "RISE": "perturbation.rise",
    },
    "Which patches matter to a transformer?": {
        "AttnLRP": "gradient.attnlrp",
        "LibraGrad": "meta.libragrad",
        "Attention rollout": "attention.attention_rollout",
        "Gradient rollout": "attention.gradient_attention_rollout",
        "Transformer attribution": "attention.transformer_attribution",
    },
}

gradient, cams, meta = ke.methods.gradient, ke.methods.cams, ke.methods.meta

#: What draws the maps of the methods that have no shortcut of their name.
EXPLAINERS = {
    "gradient.smooth_gradients": ke.smoothgrad,
    "meta.smooth": ke.vargrad,
    "meta.noise_grad": ke.partial_explain(
        meta.noise_grad(gradient.gradients, seed=0),
        postprocessing=ke.filters.normalize,
    ),
    "meta.tta": ke.partial_explain(
        meta.tta(cams.gradcam), postprocessing=ke.filters.positive_normalize
    ),
    "meta.libragrad": ke.partial_explain(
        meta.libragrad(gradient.input_x_gradient),
        postprocessing=ke.filters.signed_normalize,
    ),
}

#: Three images of each network.
NETWORK, TRANSFORMER = [2, 6, 7], [2, 3, 5]

COLUMNS, TILE, SPACE, MARGIN = 4, 96, 4, 26  # Blocks in a row, and pixels.
HEADING, TITLE, LINE = 25, 20, 34
FONTS = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")


def maps(name, model, images, labels, others):
    """Return the maps of a method, (N, H, W)."""
    explain = EXPLAINERS.get(name) or getattr(ke, name.split(".")[1])
    data = {"data": others, "seed": 0} if "expected" in name else {}
    return explain(model, images, labels, verbose=0, **data)[1][..., 0]


def block(title, panels):
    """Return three panels side by side, with a title above."""
    width = 3 * TILE + 2 * SPACE
    picture = Image.new("RGB", (width, LINE + TILE), "white")
    write(picture, (0, LINE - 8), title, "DejaVuSans.ttf", TITLE)
    for number, panel in enumerate(panels):
        tile = Image.fromarray(panel).resize((TILE, TILE), Image.Resampling.NEAREST)
        picture.paste(tile, (number * (TILE + SPACE), LINE))
    return picture


def section(question, blocks):
    """Return blocks in rows, with a question above."""
    wide, high = blocks[0].size
    size = COLUMNS * (wide + MARGIN), 2 * LINE + -(-len(blocks) // COLUMNS) * high
    picture = Image.new("RGB", size, "white")
    write(picture, (0, LINE + 14), question, "DejaVuSans-Bold.ttf", HEADING)
    for number, each in enumerate(blocks):
        row, column = divmod(number, COLUMNS)
        picture.paste(each, (column * (wide + MARGIN), 2 * LINE - 14 + row * high))
    return picture


def write(picture, place, text, font, size):
    """Write a line of text above a place."""
    font = ImageFont.truetype(str(FONTS / font), size)
    ImageDraw.Draw(picture).text(place, text, fill="black", font=font, anchor="ls")


def blocks_of(methods, model, samples, shown):
    """Return a block of images, and one of the maps of each method."""
    images, labels = samples.images[shown], samples.labels[shown]
    blocks = [block("Images", [colormaps.to_rgb(image) for image in images])]
    for title, name in methods.items():
        found = maps(name, model, images, labels, samples.images)
        panels = [colormaps.colorize(clipping.clip_highest(each)) for each in found]
        blocks.append(block(title, panels))
    return blocks


def main(path="docs/_static/methods.webp"):
    """Draw and save the picture."""
    network = ke.demo.load_model(), ke.demo.load_samples(), NETWORK
    small = ke.demo.load_transformer(), ke.demo.load_small_samples(), TRANSFORMER
    sections = []
    for question, methods in QUESTIONS.items():
        blocks = blocks_of(methods, *(small if "transformer" in question else network))
        # The images of the network stand in the first section only.
        is_known = sections and "transformer" not in question
        sections.append(section(question, blocks[1:] if is_known else blocks))
    strips = np.concatenate([np.asarray(each) for each in sections])
    picture = strips[:, :-MARGIN]
    Image.fromarray(picture).save(path, quality=75, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
