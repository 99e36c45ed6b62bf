"""Does the memory of a run with Ray grow with the number of images?

    python -m benchmarks.distributed.memory_over_images [--images 300 3000]

Explains pictures of noise with the bundled network into a folder, with one worker, and
prints the largest resident memory of the calling process and of the worker in MiB.
"""

import argparse
import tempfile
import threading

import numpy as np


def peaks(images):
    """Return the peak memory in MiB of this process and of the worker."""
    import psutil
    import ray.data

    import keras_explainable as ke

    found, over = {"here": 0.0, "worker": 0.0}, threading.Event()

    def watch():
        while not over.wait(0.5):
            raylets = [x for x in psutil.Process().children() if x.name() == "raylet"]
            workers = [x for each in raylets for x in each.children()]
            named = [x for x in workers if "MapWorker" in " ".join(x.cmdline())]
            own = psutil.Process().memory_info().rss
            there = max((x.memory_info().rss for x in named), default=0)
            found["here"] = max(found["here"], own / 2**20)
            found["worker"] = max(found["worker"], there / 2**20)

    def draw(batch):
        shape = len(batch["id"]), 96, 96, 3
        images = np.random.default_rng(batch["id"][0]).integers(0, 256, shape, "uint8")
        return {**batch, "image": images}

    threading.Thread(target=watch, daemon=True).start()
    data = ray.data.range(images, override_num_blocks=images // 30)
    data = data.map_batches(draw, batch_size=30)
    with tempfile.TemporaryDirectory() as folder:
        result = ke.distributed.explain(
            data,
            ke.gradients,
            ke.demo.load_model,
            "predicted",
            id_column="id",
            output=folder,
        )
        assert result.count() == images
    over.set()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[300, 3000])
    args = parser.parse_args()
    import ray

    quiet = {"include_dashboard": False, "log_to_driver": False}
    memory = 200 * 2**20
    ray.init(num_cpus=2, object_store_memory=memory, logging_level="ERROR", **quiet)
    ray.data.DataContext.get_current().enable_progress_bars = False
    for images in args.images:
        found = peaks(images)
        print(f"{images:6d} images: here {found['here']:.0f} MiB, ", end="")
        print(f"worker {found['worker']:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
