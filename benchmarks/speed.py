"""How fast is SmoothGrad, against the bare loop and the seed page's XLA form?

    python benchmarks/speed.py [--images 8] [--repetitions 20] [--rows 32] [--rounds 3]

All sides run MobileNetV2 with random weights on the TensorFlow backend, in one process
and in turn; the best of several rounds counts, so that a busy machine hurts no side.
Run it with nothing else running.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_explainable as ke

NOISE = 0.1


def ours(model, images, units, repetitions, rows):
    method = ke.methods.meta.smooth(
        ke.methods.gradient.gradients, repetitions, NOISE, seed=0
    )

    def run():
        ke.explain(method, model, images, units, batch_size=rows, verbose=0)

    return run


def bare_loop(model, images, units, repetitions, rows):
    """Nothing but noise, forward, backward and a sum, in chunks of the same size."""
    copies = rows // len(images)
    chosen = tf.tile(tf.one_hot(units, model.output_shape[-1]), [copies, 1])
    clean = tf.tile(tf.constant(images), [copies, 1, 1, 1])

    @tf.function
    def step():
        noisy = clean + NOISE * tf.random.normal(clean.shape)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(noisy)
            score = tf.reduce_sum(model(noisy, training=False) * chosen)
        maps = tf.reduce_mean(tf.abs(tape.gradient(score, noisy)), axis=-1)
        return tf.reduce_sum(
            tf.reshape(maps, [copies, len(images), *maps.shape[1:]]), 0
        )

    def run():
        (sum(step() for _ in range(repetitions // copies)) / repetitions).numpy()

    return run


def seed_page(model, images, units, repetitions, rows):
    """The composition as the documentation's first page prints it."""
    gradients = ke.methods.gradient.gradients
    method = ke.methods.meta.smooth(
        tf.function(gradients, reduce_retracing=True, jit_compile=True),
        repetitions=repetitions,
        noise=NOISE,
    )
    return lambda: np.asarray(method(model, images, units)[1])


def best_times(sides: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(sides, float("inf"))
    for run in sides.values():
        run()  # Compiles.
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--rows", type=int, default=32, help="batch_size of explain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--without-xla", action="store_true", help="skip that slow side"
    )
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, classifier_activation=None)
    images = np.random.default_rng(0).uniform(-1, 1, (args.images, 224, 224, 3))
    images, units = images.astype("float32"), np.arange(args.images)
    builders = {"ke.explain": ours, "bare loop": bare_loop, "seed page, XLA": seed_page}
    if args.without_xla:
        del builders["seed page, XLA"]
    sides = {
        name: build(model, images, units, args.repetitions, args.rows)
        for name, build in builders.items()
    }
    times = best_times(sides, args.rounds)
    for name, seconds in times.items():
        each = seconds / args.images / args.repetitions * 1000
        ratio = seconds / times["ke.explain"]
        print(
            f"{name:16s} {each:8.2f} ms per image and repetition   {ratio:6.2f} x ours"
        )


if __name__ == "__main__":
    main()
