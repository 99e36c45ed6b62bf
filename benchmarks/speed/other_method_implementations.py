"""Sides that compare other methods than SmoothGrad, each for one unit of each image."""

from collections.abc import Callable
from typing import Any

from sides import Work, data_of, model_of

WINDOW, STRIDE, MASKS = 56, 28, 256


def ours(name: str, **options: Any) -> Callable[[Work], Callable[[], Any]]:
    def build(work: Work) -> Callable[[], Any]:
        import keras_explainable as ke

        model, (images, units) = model_of(work), data_of(work)
        shortcut = getattr(ke, name)
        return lambda: shortcut(model, images, units, verbose=0, **options)

    return build


def tf_keras_vis_scorecam(work: Work) -> Callable[[], Any]:
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    model, (images, units) = model_of(work), data_of(work)
    explainer, score = Scorecam(model, clone=False), CategoricalScore([*units[:, 0]])
    return lambda: explainer(score, images, batch_size=32)


def xplique(name: str, **options: Any) -> Callable[[Work], Callable[[], Any]]:
    def build(work: Work) -> Callable[[], Any]:
        import numpy as np
        from xplique import attributions

        model, (images, units) = model_of(work), data_of(work)
        explainer = getattr(attributions, name)(model, batch_size=32, **options)
        targets = np.eye(work.classes, dtype="float32")[units[:, 0]]
        return lambda: explainer(images, targets)

    return build


def captum_occlusion(work: Work) -> Callable[[], Any]:
    import torch
    from captum.attr import Occlusion

    model, (images, units) = model_of(work), data_of(work)
    images, targets = torch.from_numpy(images), torch.from_numpy(units[:, 0])
    explainer = Occlusion(lambda x: model(x, training=False))

    def run() -> Any:
        with torch.no_grad():
            return explainer.attribute(
                images,
                sliding_window_shapes=(WINDOW, WINDOW, 3),
                strides=(STRIDE, STRIDE, 3),
                target=targets,
                perturbations_per_eval=16,
            )

    return run


OCCLUSION = {"size": WINDOW, "stride": STRIDE}
PATCHES = {"patch_size": WINDOW, "patch_stride": STRIDE}

SIDES = {
    "Score-CAM, ours": ("tensorflow", ours("scorecam")),
    "Score-CAM, tf-keras-vis": ("tensorflow", tf_keras_vis_scorecam),
    "occlusion, ours": ("tensorflow", ours("occlusion", **OCCLUSION)),
    "occlusion, Xplique": ("tensorflow", xplique("Occlusion", **PATCHES)),
    "occlusion, ours, torch": ("torch", ours("occlusion", **OCCLUSION)),
    "occlusion, Captum": ("torch", captum_occlusion),
    "RISE, ours": ("tensorflow", ours("rise", repetitions=MASKS, seed=0)),
    "RISE, Xplique": ("tensorflow", xplique("Rise", nb_samples=MASKS)),
}

#: Sides that run in the environment of the peers.
PEERS = tuple(name for name in SIDES if "ours" not in name)
