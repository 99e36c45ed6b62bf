"""Does memory grow with repetitions? Peak memory of 20 and of 2,000, side by side.

    python benchmarks/memory.py [--repetitions 20 2000]

MobileNetV2 with random weights on the TensorFlow backend, one image, each count in a
process of its own; what counts is the operating system's peak of resident memory.
"""

import argparse
import os
import resource
import subprocess
import sys


def explain(repetitions: int) -> None:
    """Run SmoothGrad and print this process's peak memory in MiB."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    import keras_explainable as ke

    model = keras.applications.MobileNetV2(weights=None)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3))
    ke.smoothgrad(model, image, [0], repetitions=repetitions, batch_size=8, verbose=0)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak(repetitions: int) -> float:
    command = [sys.executable, __file__, "--alone", str(repetitions)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, nargs="+", default=[20, 2000])
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        explain(args.alone)
        return
    peaks = [peak(count) for count in args.repetitions]
    for count, mebibytes in zip(args.repetitions, peaks, strict=True):
        ratio = mebibytes / peaks[0]
        print(f"{count:6d} repetitions {mebibytes:8.0f} MiB   {ratio:.3f} x the first")


if __name__ == "__main__":
    main()
