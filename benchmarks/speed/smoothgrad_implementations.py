"""Implementations of SmoothGrad: of this package, as a bare loop, of other packages.

Each function builds what it needs, and returns a function that explains once. All of
them average the absolute or squared gradient of one unit per image over noisy copies,
as their package does it. The work is the same for all: one forward and one backward
pass for each copy.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

from benchmarks.speed.workload import Build, Workload, load_model, random_data

SIGMA = 0.2


def ours(work: Workload, **options: Any) -> Callable[[], Any]:
    import keras_explainable as ke

    model, (images, units) = load_model(work), random_data(work)
    method = ke.methods.meta.smooth(
        ke.methods.gradient.gradients, work.repetitions, SIGMA, seed=0
    )

    def run() -> Any:
        return ke.explain(
            method, model, images, units, batch_size=work.rows, verbose=0, **options
        )

    return run


def ours_with_estimator(estimator: str) -> Build:
    """Return the implementation for an estimator of the mean signed gradient."""

    def build(work: Workload) -> Callable[[], Any]:
        import keras_explainable as ke

        method = functools.partial(
            ke.methods.gradient.smooth_gradients,
            repetitions=work.repetitions,
            noise=SIGMA,
            estimator=estimator,
        )
        args = load_model(work), *random_data(work)
        return lambda: ke.explain(method, *args, batch_size=work.rows, verbose=0)

    return build


def ours_unlowered(work: Workload) -> Callable[[], Any]:
    return ours(work, lower=False)


def ours_bfloat16(work: Workload) -> Callable[[], Any]:
    return ours(work, precision="bfloat16")


def _lowered(work: Workload) -> tuple[Any, Any, Any, int]:
    """Return the lowered network, images and units of a step, and the rows it has."""
    import numpy as np

    import keras_explainable as ke

    network = ke.lowering.lower(load_model(work))
    rows = work.rows or ke.lowering.suitable_rows(network)
    images, units = random_data(work)
    copies = max(rows // work.images, 1)
    images, units = np.repeat(images, copies, 0), np.repeat(units[:, 0], copies)
    return network, images[:rows], units[:rows], rows


def bare_tensorflow(work: Workload) -> Callable[[], Any]:
    network, images, units, rows = _lowered(work)
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


def bare_jax(work: Workload) -> Callable[[], Any]:
    network, images, units, rows = _lowered(work)
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


def bare_torch(work: Workload) -> Callable[[], Any]:
    network, images, units, rows = _lowered(work)
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


def plain_composition(work: Workload) -> Callable[[], Any]:
    """Return ``smooth`` around gradients compiled by XLA, without ``ke.explain``."""
    import tensorflow as tf

    import keras_explainable as ke

    model, (images, units) = load_model(work), random_data(work)
    gradients = tf.function(
        ke.methods.gradient.gradients, reduce_retracing=True, jit_compile=True
    )
    method = ke.methods.meta.smooth(gradients, work.repetitions, SIGMA)
    return lambda: method(model, images, units)


def captum(work: Workload) -> Callable[[], Any]:
    import torch
    from captum.attr import NoiseTunnel, Saliency

    model, (images, units) = load_model(work), random_data(work)
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


def xplique(work: Workload) -> Callable[[], Any]:
    import numpy as np
    from xplique.attributions import SmoothGrad

    model, (images, units) = load_model(work), random_data(work)
    explainer = SmoothGrad(
        model, batch_size=work.rows or 16, nb_samples=work.repetitions, noise=SIGMA
    )
    targets = np.eye(work.classes, dtype="float32")[units[:, 0]]
    return lambda: explainer(images, targets)


def tf_keras_vis(work: Workload) -> Callable[[], Any]:
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    model, (images, units) = load_model(work), random_data(work)
    saliency, score = (
        Saliency(model, clone=False),
        CategoricalScore(units[:, 0].tolist()),
    )
    return lambda: saliency(
        score, images, smooth_samples=work.repetitions, smooth_noise=SIGMA
    )


def pair_saliency(work: Workload) -> Callable[[], Any]:
    import saliency.core as saliency
    import tensorflow as tf

    model, (images, units) = load_model(work), random_data(work)

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


#: Backend of the implementations that do not name one.
DEFAULT_BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")

#: Backend and builder of each implementation; result files contain the names.
IMPLEMENTATIONS: dict[str, tuple[str, Build]] = {
    "ours, TensorFlow": ("tensorflow", ours),
    "ours, TensorFlow bfloat16": ("tensorflow", ours_bfloat16),
    "ours, TensorFlow unlowered": ("tensorflow", ours_unlowered),
    "bare loop, TensorFlow": ("tensorflow", bare_tensorflow),
    "ours, sampled": (DEFAULT_BACKEND, ours_with_estimator("sampled")),
    "ours, slopes": (DEFAULT_BACKEND, ours_with_estimator("slopes")),
    "ours, hybrid": (DEFAULT_BACKEND, ours_with_estimator("hybrid")),
    "ours, JAX": ("jax", ours),
    "ours, JAX bfloat16": ("jax", ours_bfloat16),
    "ours, JAX unlowered": ("jax", ours_unlowered),
    "bare loop, JAX": ("jax", bare_jax),
    "ours, torch": ("torch", ours),
    "ours, torch bfloat16": ("torch", ours_bfloat16),
    "ours, torch unlowered": ("torch", ours_unlowered),
    "bare loop, torch": ("torch", bare_torch),
    "seed page, XLA": ("tensorflow", plain_composition),
    "Captum": ("torch", captum),
    "Xplique": ("tensorflow", xplique),
    "tf-keras-vis": ("tensorflow", tf_keras_vis),
    "PAIR saliency": ("tensorflow", pair_saliency),
}

#: Implementations that run in the environment of the other packages.
PEERS = ("Captum", "Xplique", "tf-keras-vis", "PAIR saliency")
