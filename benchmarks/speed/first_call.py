"""How long does the first call take, compared with that of a bare compiled gradient?

    python -m benchmarks.speed.first_call [--models MobileNetV2] [--vit build_vit.py]
        [--backends tensorflow jax torch] [--rounds 2]

Each call runs in a new process, after Keras and the model have been loaded: the
gradient of one unit at 16 noisy copies of an image, as a function that is compiled by
the backend's own means, and ``ke.smoothgrad`` with each estimator. The best of several
rounds counts. Ratios are to the bare gradient.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.speed.workload import Workload, load_model

KINDS = ("bare", "sampled", "hybrid")
REPETITIONS, SIGMA = 16, 0.1


def bare_tensorflow(model: Any, noisy: Any) -> Callable[[], Any]:
    import tensorflow as tf

    @tf.function(autograph=False)
    def gradient(x: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            score = model(x, training=False)[:, 0]
        return tf.reduce_mean(tape.gradient(score, x), axis=0)

    return lambda: gradient(tf.constant(noisy)).numpy()


def bare_jax(model: Any, noisy: Any) -> Callable[[], Any]:
    import jax

    def score(x: Any, trained: Any, others: Any) -> Any:
        outputs, _ = model.stateless_call(trained, others, x, training=False)
        return outputs[:, 0].sum()

    gradient = jax.jit(lambda x, *own: jax.grad(score)(x, *own).mean(axis=0))
    weights = (
        [x.value for x in each]
        for each in (model.trainable_variables, model.non_trainable_variables)
    )
    return lambda: gradient(noisy, *weights).block_until_ready()


def bare_torch(model: Any, noisy: Any) -> Callable[[], Any]:
    import torch

    for variable in model.variables:
        variable.value.requires_grad_(False)

    def run() -> Any:
        total: Any = 0
        for part in torch.from_numpy(noisy).split(8):
            x = part.requires_grad_()
            score = model(x, training=False)[:, 0].sum()
            total += torch.autograd.grad(score, x)[0].sum(dim=0)
        return total

    return run


BARE = {"tensorflow": bare_tensorflow, "jax": bare_jax, "torch": bare_torch}


def ours(model: Any, image: Any, estimator: str) -> Callable[[], Any]:
    import keras_explainable as ke

    return lambda: ke.smoothgrad(
        model,
        image,
        [0],
        repetitions=REPETITIONS,
        noise=SIGMA,
        estimator=estimator,
        verbose=0,
    )


def seconds_of_first_call(settings: dict[str, str]) -> float:
    """Return the time of the first call of one kind, in this process."""
    import keras
    import numpy as np

    if settings["vit"] and settings["model"] == "ViT":
        model, pixels = _built(settings["vit"]), 112
    else:
        model, pixels = load_model(Workload(settings["model"], 1, REPETITIONS)), 224
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (1, pixels, pixels, 3)).astype("float32")
    if settings["kind"] == "bare":
        noisy = image + SIGMA * rng.normal(size=(REPETITIONS, *image.shape[1:]))
        run = BARE[keras.backend.backend()](model, noisy.astype("float32"))
    else:
        run = ours(model, image, settings["kind"])
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _built(path: str) -> Any:
    """Return the vision transformer that a script of the trained networks builds."""
    spec = importlib.util.spec_from_file_location("build_vit", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build(112)


def measure(backend: str, settings: dict[str, str]) -> float:
    """Return the seconds of one first call in a new process."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", __spec__.name, "--one", json.dumps(settings)]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return float(result.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["MobileNetV2"])
    parser.add_argument("--vit", default="", help="script that builds the model 'ViT'")
    parser.add_argument("--backends", nargs="+", default=[*BARE])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(seconds_of_first_call(json.loads(args.one)))
        return
    for model in args.models:
        for backend in args.backends:
            best = dict.fromkeys(KINDS, float("inf"))
            for _ in range(args.rounds):
                for kind in KINDS:
                    settings = {"model": model, "kind": kind, "vit": args.vit}
                    best[kind] = min(best[kind], measure(backend, settings))
            ratios = "  ".join(
                f"{kind} {best[kind]:5.1f} s ({best[kind] / best['bare']:.2f} x)"
                for kind in KINDS
            )
            print(f"{model:14s} {backend:11s} {ratios}", flush=True)


if __name__ == "__main__":
    main()
