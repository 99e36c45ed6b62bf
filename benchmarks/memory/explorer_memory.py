"""Does the memory of the explorer level off while its sliders are moved?

    KERAS_BACKEND=torch python -m benchmarks.memory.explorer_memory [--minutes 30]

In a real browser, images, classes, noise levels, numbers of samples and methods are
changed at random, many before their map is complete. In ten equal intervals, the script
prints the resident memory of the server and the JavaScript heap of the page, in
megabytes. The server keeps up to 512 MB of sums (docs/explorer.md).
"""

import argparse
import os
import pathlib
import random
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from playwright.sync_api import Page

from benchmarks.explorer import MODELS, arguments, opened, server

METHODS = ("smoothgrad", "gradients", "gradcam", "integrated_gradients")


def change(page: Page, rng: random.Random) -> None:
    """Change something, and wait for up to a second."""
    kind = rng.choice(("noise", "noise", "samples", "image", "class", "method", "seed"))
    if kind == "noise":
        page.locator("#noise_level").fill(f"{rng.randrange(51) / 100}")
    elif kind == "samples":
        page.locator("#repetitions").fill(str(rng.randint(3, 9)))
    elif kind == "seed":
        page.locator("#seed").fill(str(rng.randrange(1000)))
    elif kind == "image":
        thumbnails = page.locator("#album button")
        thumbnails.nth(rng.randrange(thumbnails.count())).click()
    elif kind == "class":
        page.fill("#class", str(rng.randrange(10)))
        page.keyboard.press("Enter")
    else:
        page.select_option("#method", rng.choice(METHODS))
        page.wait_for_timeout(200)
        page.select_option("#method", "smoothgrad")
    page.wait_for_timeout(1000 * rng.random())


def resident_memory(process: int) -> float:
    pages = int(pathlib.Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def heap(page: Page) -> float:
    """Return the memory that JavaScript uses, without garbage."""
    page.request_gc()
    return page.evaluate("performance.memory.usedJSHeapSize") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", default="demo", choices=MODELS)
    args = parser.parse_args()
    rng, changes = random.Random(0), 0
    with tempfile.TemporaryDirectory() as folder:
        words = arguments(args.model, pathlib.Path(folder))
        with server(words) as (address, process), opened(address) as page:
            started = time.monotonic()
            for part in range(11):
                while time.monotonic() - started < 6 * args.minutes * part:
                    change(page, rng)
                    changes += 1
                print(
                    f"{args.minutes * part / 10:5.1f} minutes, {changes:5d} changes: "
                    f"server {resident_memory(process):7.1f} MB, "
                    f"page {heap(page):5.1f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
