"""Implementations of Score-CAM, occlusion and RISE, by this and by other packages.

Each of them explains one unit per image.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.speed.workload import Build, Workload, load_model, random_data

WINDOW, STRIDE, MASKS = 56, 28, 256


def ours(name: str, **options: Any) -> Build:
    def build(work: Workload) -> Callable[[], Any]:
        import keras_explainable as ke

        model, (images, units) = load_model(work), random_data(work)
        shortcut = getattr(ke, name)
        return lambda: shortcut(model, images, units, verbose=0, **options)

    return build


def tf_keras_vis_scorecam(work: Workload) -> Callable[[], Any]:
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    model, (images, units) = load_model(work), random_data(work)
    explainer, score = Scorecam(model, clone=False), CategoricalScore([*units[:, 0]])
    return lambda: explainer(score, images, batch_size=32)


def xplique(name: str, **options: Any) -> Build:
    def build(work: Workload) -> Callable[[], Any]:
        import numpy as np
        from xplique import attributions

        model, (images, units) = load_model(work), random_data(work)
        explainer = getattr(attributions, name)(model, batch_size=32, **options)
        targets = np.eye(work.classes, dtype="float32")[units[:, 0]]
        return lambda: explainer(images, targets)

    return build


def captum_occlusion(work: Workload) -> Callable[[], Any]:
    import torch
    from captum.attr import Occlusion

    model, (images, units) = load_model(work), random_data(work)
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


#: The sliding window of occlusion, in the terms of each package.
OUR_WINDOWS = {"size": WINDOW, "stride": STRIDE}
XPLIQUE_WINDOWS = {"patch_size": WINDOW, "patch_stride": STRIDE}

#: Backend and builder of each implementation.
IMPLEMENTATIONS: dict[str, tuple[str, Build]] = {
    "Score-CAM, ours": ("tensorflow", ours("scorecam")),
    "Score-CAM, tf-keras-vis": ("tensorflow", tf_keras_vis_scorecam),
    "occlusion, ours": ("tensorflow", ours("occlusion", **OUR_WINDOWS)),
    "occlusion, Xplique": ("tensorflow", xplique("Occlusion", **XPLIQUE_WINDOWS)),
    "occlusion, ours, torch": ("torch", ours("occlusion", **OUR_WINDOWS)),
    "occlusion, Captum": ("torch", captum_occlusion),
    "RISE, ours": ("tensorflow", ours("rise", repetitions=MASKS, seed=0)),
    "RISE, Xplique": ("tensorflow", xplique("Rise", nb_samples=MASKS)),
}

#: Implementations that run in the environment of the other packages.
PEERS = tuple(name for name in IMPLEMENTATIONS if "ours" not in name)
