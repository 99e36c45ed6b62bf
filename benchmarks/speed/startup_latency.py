"""How long do the import, the first map and the start of a later call take?

    python -m benchmarks.speed.startup_latency [--rounds 3]
        [--backends tensorflow jax torch]

Each measurement runs in a new process. The best of several rounds counts.
"""

import argparse
import json
import os
import subprocess
import sys

IMPORTS = """
import time; start = time.perf_counter()
import keras; middle = time.perf_counter()
import keras_explainable; end = time.perf_counter()
print([middle - start, end - middle])
"""

FIRST_MAP = """
import time
import keras, numpy as np
import keras_explainable as ke
from keras_explainable.execution import compilation
from keras_explainable.network import output_units

model = keras.applications.MobileNetV2(weights=None)
image = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3))
model.predict(image, verbose=0)  # Warms up Keras.

def explain():
    start = time.perf_counter()
    ke.smoothgrad(model, image, [0], repetitions=16, estimator="sampled", verbose=0)
    return time.perf_counter() - start

first = explain()
explain()
step_starts, compiled = [], compilation.compiled

def recording(function, model):
    step = compiled(function, model)
    def run(*tensors):
        step_starts.append(time.perf_counter() - start)
        return step(*tensors)
    return run

compilation.compiled = output_units.compiled = recording
start = time.perf_counter()
explain()
print([first, step_starts[0]])
"""


def measure(code: str, backend: str, rounds: int) -> list[float]:
    """Return the smallest value of each number that the code prints."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code]
    results = [
        subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(rounds)
    ]
    numbers = [json.loads(result.stdout.splitlines()[-1]) for result in results]
    return [min(column) for column in zip(*numbers, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    args = parser.parse_args()
    for backend in args.backends:
        keras, ours = measure(IMPORTS, backend, args.rounds)
        first, step = measure(FIRST_MAP, backend, args.rounds)
        print(
            f"{backend:11s} import of keras {keras:5.2f} s, then of keras_explainable "
            f"{ours:5.3f} s; first map of MobileNetV2 {first:5.2f} s; a later call "
            f"starts its first step after {step * 1000:4.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
