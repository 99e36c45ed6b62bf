"""How many images per second do processes of Ray explain, beside plain ones?

    python -m benchmarks.distributed.throughput [--model demo] [--workers 1 2]

Plain processes call ``ke.smoothgrad`` for one batch after another, each on its own part
of the images and with one thread, as a worker of Ray has; the last one is alone and has
as many threads as there were workers. Times begin with the first
batch that is finished, so that starting, loading and compiling are stated apart. CPU
seconds are of all processes, those of Ray itself included. Last comes what Ray itself
takes for a batch, from workers that compute nothing.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time

BATCH, REPETITIONS = 8, 32


def build(name):
    """Return a function that returns the model."""

    def model():
        import keras

        import keras_explainable as ke

        if name == "demo":
            return ke.demo.load_model()
        return getattr(keras.applications, name)(weights=None)

    return model


def batches(count, side):
    import numpy as np

    draw = np.random.default_rng(0)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start), side, side, 3
        yield draw.integers(0, 256, size).astype("float32")


def plain(name, count):
    """Explain batches in this process and print the time of the first and the last."""
    import keras_explainable as ke

    model = build(name)()
    ends = []
    for x in batches(count, model.input_shape[1]):
        given = {"repetitions": REPETITIONS, "batch_size": BATCH, "verbose": 0}
        ke.smoothgrad(model, x, "predicted", estimator="sampled", **given)
        ends.append((time.time(), time.process_time()))
    (first, worked), (last, in_all) = ends[0], ends[-1]
    print(first, last, in_all - worked, count - BATCH)


def plain_rate(name, count, workers, threads=1):
    """Return start-up in seconds, images per second, and CPU seconds of an image."""
    command = [sys.executable, "-m", __spec__.name, "--model", name]
    command += ["--plain", str(count // workers)]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(threads))
    environment = {**os.environ, **limits}
    begun = time.time()
    options = {"env": environment, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **options) for _ in range(workers)]
    lines = [each.communicate()[0].split()[-4:] for each in running]
    times = [[*map(float, line)] for line in lines]
    start = max(each[0] for each in times) - begun
    rate = sum(images / (last - first) for first, last, _, images in times)
    return start, rate, sum(each[2] for each in times) / sum(each[3] for each in times)


def dataset(count, side):
    import ray.data

    rows = [
        {"id": number * BATCH + place, "image": image}
        for number, x in enumerate(batches(count, side))
        for place, image in enumerate(x)
    ]
    return ray.data.from_items(rows, override_num_blocks=-(-count // BATCH))


def ray_rate(name, data, count, workers):
    """Return the same of workers of Ray; the CPU seconds are those of all processes."""
    import keras_explainable as ke

    begun, ends, known = time.time(), [], dict[int, float]()
    result = ke.distributed.explain(
        data,
        ke.smoothgrad,
        build(name),
        "predicted",
        id_column="id",
        workers=workers,
        batch_size=BATCH,
        repetitions=REPETITIONS,
        estimator="sampled",
    )
    for _ in result.iter_batches(batch_size=None):
        ends.append((time.time(), cpu_seconds(known)))
    # The first batch of each worker comes about when that of the slowest does.
    (first, worked), (last, in_all) = ends[workers - 1], ends[-1]
    images = count - workers * BATCH
    return first - begun, images / (last - first), (in_all - worked) / images


def cpu_seconds(known):
    """Return the CPU time of this process and of all of Ray, also of ended ones."""
    import psutil

    own = psutil.Process()
    for each in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            known[each.pid] = times.user + times.system
    return sum(known.values())


class Idle:
    """A worker that computes nothing."""

    def __call__(self, batch):
        """Return the ids."""
        return {"id": batch["id"]}


def ray_overhead(data, count):
    """Return the seconds that Ray itself takes for a batch."""
    import ray.data

    compute = ray.data.ActorPoolStrategy(size=1)
    result = data.map_batches(Idle, batch_size=BATCH, compute=compute)
    ends = [time.time() for _ in result.iter_batches(batch_size=None)]
    return (ends[-1] - ends[0]) / (count // BATCH - 1)


def show(name, workers, threads, measured):
    """Print a line of the table."""
    start, rate, cpu = measured
    print(
        f"{name:5s} {workers} x {threads} threads {rate:7.3f} images/s, "
        f"{cpu:.3f} CPU seconds per image, start {start:.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo", help="demo, or an application")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--plain", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plain:
        plain(args.model, args.plain)
        return
    import ray

    quiet = {"include_dashboard": False, "log_to_driver": False}
    ray.init(num_cpus=max(args.workers) + 1, logging_level="ERROR", **quiet)
    ray.data.DataContext.get_current().enable_progress_bars = False
    data = dataset(args.images, build(args.model)().input_shape[1]).materialize()
    for workers in args.workers:
        show("plain", workers, 1, plain_rate(args.model, args.images, workers))
        show("Ray", workers, 1, ray_rate(args.model, data, args.images, workers))
    threads = max(args.workers)
    show("plain", 1, threads, plain_rate(args.model, args.images, 1, threads))
    print(f"Ray itself: {1000 * ray_overhead(data, args.images):.1f} ms per batch")


if __name__ == "__main__":
    main()
