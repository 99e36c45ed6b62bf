"""Implementations of metrics of given maps, by this and by other packages.

Each of them scores the same random maps of one unit per image. The number of rows that
the model computes for an image is about the same on both sides of a comparison; it is
stated with each.
"""

from collections.abc import Callable
from typing import Any

from benchmarks import torchvision_stand_in
from benchmarks.speed.workload import Build, Workload, load_model, random_data

#: Steps of deletion and insertion, and values that Quantus removes in one of 96 steps:
#: it removes the three channels of a pixel one by one, and asks for such divisors.
STEPS, QUANTUS_VALUES = 98, 1568

#: Percentages of removed pixels. This package removes the largest pixels first and the
#: smallest first; Quantus does only the former, and is given twice as many. It fails on
#: images of three channels, and is given one, which its model repeats.
PERCENTILES = (20, 40, 60, 80)
QUANTUS_PERCENTILES = [10, 20, 30, 40, 50, 60, 70, 80]

#: Random changes of the input for the sensitivity of a method, and for infidelity:
#: Quantus changes 16 patches, one by one, for each of its samples.
CHANGES, DRAWS, QUANTUS_DRAWS, PATCH = 10, 96, 6, 56


def random_maps(work: Workload) -> Any:
    """Return maps (N, H, W)."""
    import numpy as np

    shape = work.images, work.pixels, work.pixels
    return np.random.default_rng(1).uniform(size=shape).astype("float32")


def ours(*metrics: tuple[str, dict[str, Any]]) -> Build:
    """Return metrics of given maps, one after another."""

    def build(work: Workload) -> Callable[[], Any]:
        import keras_explainable as ke

        model, (images, units) = load_model(work), random_data(work)
        given = model, images, random_maps(work)[..., None], units

        def run() -> Any:
            for name, options in metrics:
                getattr(ke.metrics, name)(*given, verbose=0, logits=True, **options)

        return run

    return build


def our_sensitivity(name: str) -> Build:
    """Return a metric of a method, here of gradients."""

    def build(work: Workload) -> Callable[[], Any]:
        import keras_explainable as ke

        model, (images, units) = load_model(work), random_data(work)
        score = getattr(ke.metrics, name)
        method = ke.methods.gradient.gradients
        return lambda: score(method, model, images, units, draws=CHANGES, verbose=0)

    return build


def quantus(name: str, **options: Any) -> Build:
    """Return a metric of Quantus, which is given the model as a PyTorch module."""

    def build(work: Workload) -> Callable[[], Any]:
        import sys

        import numpy as np
        import torch

        sys.modules.update(torchvision_stand_in.modules())
        import quantus

        keras_model, (images, units) = load_model(work), random_data(work)

        class ChannelsFirst(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = keras_model

            def forward(self, x: Any) -> Any:
                x = x.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
                return self.inner(x, training=False)

        def gradients(model: Any, inputs: Any, targets: Any, **_: Any) -> Any:
            x = torch.as_tensor(np.asarray(inputs)).float().requires_grad_()
            rows = torch.arange(len(x))
            model(x)[rows, torch.as_tensor(np.asarray(targets))].sum().backward()
            return x.grad.abs().mean(1, keepdim=True).numpy()

        if name == "ROAD":
            images = images[..., :1]
        metric = getattr(quantus, name)(disable_warnings=True, **options)
        given = {
            "model": ChannelsFirst().eval(),
            "x_batch": np.moveaxis(images, -1, 1).copy(),
            "y_batch": units[:, 0],
            "a_batch": random_maps(work)[:, None],
            "explain_func": gradients,
            "softmax": False,
            "device": "cpu",
            "batch_size": 32,
        }
        return lambda: metric(**given)

    return build


def xplique_curves(work: Workload) -> Callable[[], Any]:
    """Return deletion and insertion of Xplique."""
    import numpy as np
    from xplique import metrics

    model, (images, units) = load_model(work), random_data(work)
    maps, targets = random_maps(work), np.eye(work.classes, dtype="float32")
    given = model, images, targets[units[:, 0]]
    curves = [
        kind(*given, batch_size=32, steps=STEPS)
        for kind in (metrics.Deletion, metrics.Insertion)
    ]
    return lambda: [curve(maps) for curve in curves]


def xplique_stability(work: Workload) -> Callable[[], Any]:
    """Return the average stability of gradients of Xplique."""
    import numpy as np
    from xplique import attributions, metrics

    model, (images, units) = load_model(work), random_data(work)
    targets = np.eye(work.classes, dtype="float32")[units[:, 0]]
    explainer = attributions.Saliency(model, batch_size=32)
    metric = metrics.AverageStability(
        model, images, targets, batch_size=32, nb_samples=CHANGES
    )
    return lambda: metric(explainer)


DELETION = ("deletion", {"steps": STEPS})
INSERTION = ("insertion", {"steps": STEPS, "baseline": 0.0})
ROAD = ("road", {"percentiles": PERCENTILES})
INFIDELITY = ("infidelity", {"draws": DRAWS})

#: Backend and builder of each implementation.
IMPLEMENTATIONS: dict[str, tuple[str, Build]] = {
    "deletion, ours": ("torch", ours(DELETION)),
    "deletion, Quantus": (
        "torch",
        quantus("PixelFlipping", features_in_step=QUANTUS_VALUES),
    ),
    "ROAD, ours": ("torch", ours(ROAD)),
    "ROAD, Quantus": ("torch", quantus("ROAD", percentages=QUANTUS_PERCENTILES)),
    "infidelity, ours": ("torch", ours(INFIDELITY)),
    "infidelity, Quantus": (
        "torch",
        quantus(
            "Infidelity", perturb_patch_sizes=[PATCH], n_perturb_samples=QUANTUS_DRAWS
        ),
    ),
    "maximum sensitivity, ours": ("torch", our_sensitivity("max_sensitivity")),
    "maximum sensitivity, Quantus": (
        "torch",
        quantus("MaxSensitivity", nr_samples=CHANGES),
    ),
    "both curves, ours": ("tensorflow", ours(DELETION, INSERTION)),
    "both curves, Xplique": ("tensorflow", xplique_curves),
    "stability, ours": ("tensorflow", our_sensitivity("avg_sensitivity")),
    "stability, Xplique": ("tensorflow", xplique_stability),
}

#: Implementations that run in the environment of the other packages.
PEERS = tuple(name for name in IMPLEMENTATIONS if "ours" not in name)
