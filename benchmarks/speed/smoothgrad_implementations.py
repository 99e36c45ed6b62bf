"""The sides of the comparison: each one builds a function that explains once.

Every side averages the absolute or squared gradient of one unit for each image over
noisy copies, as its package does it; the work is the same: one forward and one
backward pass for each copy.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SIGMA = 0.2


@dataclass(frozen=True)
class Work:
    """What is explained: a model of keras.applications or a file; how many images."""

    model: str
    images: int
    repetitions: int
    rows: int | None = None
    units: int = 1
    pixels: int = 224
    classes: int = 1000


def build(name: str, work: Work) -> Callable[[], Any]:
    """Return the function that does the work once, its framework imported."""
    from method_sides import SIDES as OTHERS  # Which imports from here.

    backend, make = (SIDES | OTHERS)[name]
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return make(work)


def model_of(work: Work) -> Any:
    import keras

    if work.model.endswith(".keras"):
        return keras.models.load_model(work.model)
    keras.utils.set_random_seed(0)
    family = getattr(keras.applications, work.model)
    shape = (work.pixels, work.pixels, 3)
    options = {"weights": None, "classifier_activation": None, "input_shape": shape}
    return family(**options)


def data_of(work: Work) -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (work.images, work.pixels, work.pixels, 3)
    images = rng.uniform(-1, 1, shape).astype("float32")
    return images, rng.integers(0, work.classes, (work.images, work.units))


def ours(work: Work, **options: Any) -> Callable[[], Any]:
    import keras_explainable as ke

    model, (images, units) = model_of(work), data_of(work)
    method = ke.methods.meta.smooth(
        ke.methods.gradient.gradients, work.repetitions, SIGMA, seed=0
    )

    def run() -> Any:
        return ke.explain(
            method, model, images, units, batch_size=work.rows, verbose=0, **options
        )

    return run


def ours_estimated(estimator: str) -> Callable[[Work], Callable[[], Any]]:
    """Return the side of another estimator of the mean signed gradient."""

    def make(work: Work) -> Callable[[], Any]:
        import keras_explainable as ke

        method = functools.partial(
            ke.methods.gradient.smooth_gradients,
            repetitions=work.repetitions,
            noise=SIGMA,
            estimator=estimator,
        )
        args = model_of(work), *data_of(work)
        return lambda: ke.explain(method, *args, batch_size=work.rows, verbose=0)

    return make


def ours_unlowered(work: Work) -> Callable[[], Any]:
    return ours(work, lower=False)


def ours_bfloat16(work: Work) -> Callable[[], Any]:
    return ours(work, precision="bfloat16")


def _folded(work: Work) -> tuple[Any, Any, Any, int]:
    """Return the folded network, and images and units of one chunk of the bare loop."""
    import numpy as np

    import keras_explainable as ke

    network = ke.lowering.lower(model_of(work))
    rows = work.rows or ke.lowering.suitable_rows(network)
    images, units = data_of(work)
    copies = max(rows // work.images, 1)
    images, units = np.repeat(images, copies, 0), np.repeat(units[:, 0], copies)
    return network, images[:rows], units[:rows], rows


def bare_tensorflow(work: Work) -> Callable[[], Any]:
    network, images, units, rows = _folded(work)
    import tensorflow as tf

    clean, chosen = tf.constant(images), tf.one_hot(units, work.classes)
    total = tf.Variable(tf.zeros(clean.shape[:-1]))

    @tf.function(autograph=False)
    def step() -> None:
        noisy = clean + SIGMA * tf.random.normal(clean.shape)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(noisy)
            outputs = network(noisy, training=False)
        gradient = tape.gradient(outputs, noisy, chosen)
        total.assign_add(tf.reduce_mean(tf.abs(gradient), axis=-1))

    def run() -> Any:
        for _ in range(work.images * work.repetitions // rows):
            step()
        return total.numpy()

    return run


def bare_jax(work: Work) -> Callable[[], Any]:
    network, images, units, rows = _folded(work)
    import jax
    import jax.numpy as jnp

    trained = [v.value for v in network.trainable_variables]
    others = [v.value for v in network.non_trainable_variables]
    clean, chosen = jnp.asarray(images), jax.nn.one_hot(units, work.classes)

    @jax.jit
    def step(trained: Any, others: Any, total: Any, key: Any) -> Any:
        noisy = clean + SIGMA * jax.random.normal(key, clean.shape)

        def score(noisy: Any) -> Any:
            outputs, _ = network.stateless_call(trained, others, noisy)
            return jnp.sum(outputs * chosen)

        return total + jnp.mean(jnp.abs(jax.grad(score)(noisy)), axis=-1)

    def run() -> Any:
        total = jnp.zeros(clean.shape[:-1])
        for number in range(work.images * work.repetitions // rows):
            total = step(trained, others, total, jax.random.key(number))
        return total.block_until_ready()

    return run


def bare_torch(work: Work) -> Callable[[], Any]:
    network, images, units, rows = _folded(work)
    import torch

    for variable in network.variables:
        variable.value.requires_grad_(False)
    clean = torch.from_numpy(images)
    chosen = torch.nn.functional.one_hot(torch.from_numpy(units), work.classes).float()

    def run() -> Any:
        total = torch.zeros(clean.shape[:-1])
        for _ in range(work.images * work.repetitions // rows):
            noisy = (clean + SIGMA * torch.randn_like(clean)).requires_grad_()
            outputs = network(noisy, training=False)
            (gradient,) = torch.autograd.grad(outputs, noisy, chosen)
            total += gradient.abs().mean(-1)
        return total.numpy()

    return run


def seed_page(work: Work) -> Callable[[], Any]:
    """The composition as the documentation's first page prints it."""
    import tensorflow as tf

    import keras_explainable as ke

    model, (images, units) = model_of(work), data_of(work)
    gradients = tf.function(
        ke.methods.gradient.gradients, reduce_retracing=True, jit_compile=True
    )
    method = ke.methods.meta.smooth(gradients, work.repetitions, SIGMA)
    return lambda: method(model, images, units)


def captum(work: Work) -> Callable[[], Any]:
    import torch
    from captum.attr import NoiseTunnel, Saliency

    model, (images, units) = model_of(work), data_of(work)
    images, targets = torch.from_numpy(images), torch.from_numpy(units[:, 0])
    tunnel = NoiseTunnel(Saliency(lambda x: model(x, training=False)))
    at_once = max((work.rows or 8) // work.images, 1)

    def run() -> Any:
        return tunnel.attribute(
            images,
            nt_type="smoothgrad",
            nt_samples=work.repetitions,
            nt_samples_batch_size=at_once,
            stdevs=SIGMA,
            target=targets,
        )

    return run


def xplique(work: Work) -> Callable[[], Any]:
    import numpy as np
    from xplique.attributions import SmoothGrad

    model, (images, units) = model_of(work), data_of(work)
    explainer = SmoothGrad(
        model, batch_size=work.rows or 16, nb_samples=work.repetitions, noise=SIGMA
    )
    targets = np.eye(work.classes, dtype="float32")[units[:, 0]]
    return lambda: explainer(images, targets)


def tf_keras_vis(work: Work) -> Callable[[], Any]:
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    model, (images, units) = model_of(work), data_of(work)
    saliency, score = (
        Saliency(model, clone=False),
        CategoricalScore(units[:, 0].tolist()),
    )
    return lambda: saliency(
        score, images, smooth_samples=work.repetitions, smooth_noise=SIGMA
    )


def pair_saliency(work: Work) -> Callable[[], Any]:
    import saliency.core as saliency
    import tensorflow as tf

    model, (images, units) = model_of(work), data_of(work)

    def gradients(x: Any, call_model_args: Any, expected_keys: Any = None) -> Any:
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = model(x, training=False)[:, call_model_args]
        return {saliency.INPUT_OUTPUT_GRADIENTS: tape.gradient(score, x).numpy()}

    explainer = saliency.GradientSaliency()

    def run() -> Any:
        return [
            explainer.GetSmoothedMask(image, gradients, unit, nsamples=work.repetitions)
            for image, unit in zip(images, units[:, 0].tolist(), strict=True)
        ]

    return run


#: The backend of sides that name none.
OWN = os.environ.get("KERAS_BACKEND", "tensorflow")

#: Name -> backend, builder.
SIDES: dict[str, tuple[str, Callable[[Work], Callable[[], Any]]]] = {
    "ours, TensorFlow": ("tensorflow", ours),
    "ours, TensorFlow bfloat16": ("tensorflow", ours_bfloat16),
    "ours, TensorFlow unlowered": ("tensorflow", ours_unlowered),
    "bare loop, TensorFlow": ("tensorflow", bare_tensorflow),
    "ours, sampled": (OWN, ours_estimated("sampled")),
    "ours, slopes": (OWN, ours_estimated("slopes")),
    "ours, hybrid": (OWN, ours_estimated("hybrid")),
    "ours, JAX": ("jax", ours),
    "ours, JAX bfloat16": ("jax", ours_bfloat16),
    "ours, JAX unlowered": ("jax", ours_unlowered),
    "bare loop, JAX": ("jax", bare_jax),
    "ours, torch": ("torch", ours),
    "ours, torch bfloat16": ("torch", ours_bfloat16),
    "ours, torch unlowered": ("torch", ours_unlowered),
    "bare loop, torch": ("torch", bare_torch),
    "seed page, XLA": ("tensorflow", seed_page),
    "Captum": ("torch", captum),
    "Xplique": ("tensorflow", xplique),
    "tf-keras-vis": ("tensorflow", tf_keras_vis),
    "PAIR saliency": ("tensorflow", pair_saliency),
}

#: Sides that run in the environment of the peers.
PEERS = ("Captum", "Xplique", "tf-keras-vis", "PAIR saliency")
