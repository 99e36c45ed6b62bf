import numpy as np
import pytest

from keras_explainable.report.explanation_records import (
    Explanation,
    Maps,
    Noise,
    Prediction,
    Run,
)


@pytest.fixture
def explanation():
    """Make explanations: a red image, with a one-pixel map for each class."""

    def make(
        name="cat.jpg",
        classes=("tabby",),
        size=(4, 6),
        scores=None,
        methods=("smoothgrad",),
        **changes,
    ):
        maps = np.zeros((*size, len(classes)), "float32")
        maps[1, 2] = 1
        image = np.zeros((*size, 3), "uint8")
        image[..., 0] = 200
        scores = scores or [0.75 / 2**rank for rank in range(len(classes))]
        found = tuple(
            Prediction(unit, label, score)
            for unit, (label, score) in enumerate(zip(classes, scores, strict=True))
        )
        noise = Noise(30.0, 7, 50, tuple(0.4 for _ in classes), 0.25, 0.15)
        maps, noise = changes.pop("maps", maps), changes.pop("noise", noise)
        image = changes.pop("image", image)
        facts = {"explained": found, "predictions": found} | changes
        made = tuple(Maps(method, maps, noise) for method in methods)
        return Explanation(name, image, maps=made, **facts)

    return make


@pytest.fixture
def run():
    return Run(
        model="net.keras",
        model_hash="5a1e",
        preprocessing="unit",
        methods=("smoothgrad",),
        target="top1",
        repetitions=50,
        noise_level=0.15,
        estimator="sampled",
        tolerance=None,
        seed=3,
        batch_size=32,
    )
