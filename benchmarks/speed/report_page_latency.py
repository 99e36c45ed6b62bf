"""How fast does the HTML page of a large report find, sort and recolour its images?

    python -m benchmarks.speed.report_page_latency [--images 500] [--rounds 5]

Prints the fastest and the slowest round, in milliseconds from the action until the next
frame. Needs Chromium and Playwright.
"""

import argparse
import pathlib
import shutil
import tempfile
import time

import numpy as np
from playwright.sync_api import Page, sync_playwright

from keras_explainable.report.explanation_records import (
    Explanation,
    Maps,
    Prediction,
    Run,
)
from keras_explainable.report.report_writer import Report

NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => done()))"

ACTIONS = {
    "find": lambda page: page.fill("#find", "49"),
    "find all": lambda page: page.fill("#find", ""),
    "sort by score": lambda page: page.select_option("#sort", "sure"),
    "sort as given": lambda page: page.select_option("#sort", "given"),
    "colours": lambda page: page.select_option("#colors", "viridis"),
    "overlay": lambda page: page.locator("#cover").fill("30"),
    "end of the page": lambda page: page.keyboard.press("End"),
    "top of the page": lambda page: page.keyboard.press("Home"),
}

RUN = Run(
    model="net",
    model_hash="",
    preprocessing="tf",
    methods=("gradients",),
    target="top1",
    repetitions=None,
    noise_level=None,
    estimator=None,
    tolerance=None,
    seed=None,
    batch_size=32,
)


def write_report(folder: pathlib.Path, images: int) -> pathlib.Path:
    """Write a report about images of noise, which compress worst; return its page."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (224, 224, 3), "uint8")
    maps = Maps("gradients", rng.random((224, 224, 1), "float32"))
    with Report(folder, RUN) as report:
        for number in range(images):
            predictions = (Prediction(0, f"class {number}", number / images),)
            name = f"{number}.png"
            explanation = Explanation(name, image, predictions, predictions, (maps,))
            report.add(report.key(name), explanation)
    return report.page


def milliseconds(page: Page, action) -> float:
    start = time.perf_counter()
    action(page)
    page.evaluate(NEXT_FRAME)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = write_report(pathlib.Path(folder), args.images)
        print(f"{args.images} images, {path.stat().st_size / 2**20:.0f} MiB")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        opening = milliseconds(page, lambda page: page.goto(path.as_uri()))
        print(f"{'open':16} {opening:6.0f}")
        rounds = [
            [milliseconds(page, a) for a in ACTIONS.values()]
            for _ in range(args.rounds)
        ]
        for name, times in zip(ACTIONS, zip(*rounds, strict=True), strict=True):
            print(f"{name:16} {min(times):6.0f} .. {max(times):.0f}")


if __name__ == "__main__":
    main()
