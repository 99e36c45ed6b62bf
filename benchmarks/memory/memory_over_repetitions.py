"""Does the peak memory of SmoothGrad grow with the number of repetitions?

    python -m benchmarks.memory.memory_over_repetitions [--repetitions 20 2000]

Explains one image with MobileNetV2 (random weights, TensorFlow). Each number of
repetitions has a process of its own, whose peak resident memory the system reports.
"""

import argparse
import os
import resource
import subprocess
import sys


def explain(repetitions: int) -> None:
    """Run SmoothGrad and print the peak memory of this process in MiB."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    import keras_explainable as ke

    model = keras.applications.MobileNetV2(weights=None)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3))
    params = {"estimator": "sampled", "batch_size": 8, "verbose": 0}
    ke.smoothgrad(model, image, [0], repetitions=repetitions, **params)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_memory(repetitions: int) -> float:
    """Return the peak memory in MiB of a new process."""
    command = [sys.executable, __file__, "--in-this-process", str(repetitions)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, nargs="+", default=[20, 2000])
    parser.add_argument("--in-this-process", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_this_process:
        explain(args.in_this_process)
        return
    peaks = [peak_memory(count) for count in args.repetitions]
    for count, mebibytes in zip(args.repetitions, peaks, strict=True):
        ratio = mebibytes / peaks[0]
        print(f"{count:6d} repetitions {mebibytes:8.0f} MiB   {ratio:.3f} x the first")


if __name__ == "__main__":
    main()
