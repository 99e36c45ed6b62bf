"""How long the page of the command takes to find, sort and recolour 500 photos.

Needs Chromium and Playwright. Prints the best and the worst of several tries, in
milliseconds from the action until the next frame.
"""

import pathlib
import shutil
import tempfile
import time

import numpy as np
from playwright.sync_api import Page, sync_playwright

from keras_explainable.report import Explanation, Maps, Prediction, Report, Run

PHOTOS, TRIES = 500, 5
FRAME = "new Promise((done) => requestAnimationFrame(() => done()))"

ACTIONS = {
    "find": lambda page: page.fill("#find", "49"),
    "find all": lambda page: page.fill("#find", ""),
    "sort": lambda page: page.select_option("#sort", "sure"),
    "sort back": lambda page: page.select_option("#sort", "given"),
    "colours": lambda page: page.select_option("#colors", "viridis"),
    "overlay": lambda page: page.locator("#cover").fill("30"),
    "end of the page": lambda page: page.keyboard.press("End"),
    "top of the page": lambda page: page.keyboard.press("Home"),
}


def write(folder: pathlib.Path) -> pathlib.Path:
    """Write a report of photos of noise, which are as large as files get."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (224, 224, 3), "uint8")
    maps = Maps("gradients", rng.random((224, 224, 1), "float32"))
    run = Run("net", "", "tf", ("gradients",), "top1", None, None, None, None, 32)
    with Report(folder, run) as report:
        for number in range(PHOTOS):
            found = (Prediction(0, f"class {number}", number / PHOTOS),)
            name = f"{number}.png"
            made = Explanation(name, image, found, found, (maps,))
            report.add(report.key(name), made)
    return report.page


def milliseconds(page: Page, action) -> float:
    began = time.perf_counter()
    action(page)
    page.evaluate(FRAME)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = write(pathlib.Path(folder))
        print(f"{PHOTOS} photos, {path.stat().st_size / 2**20:.0f} MiB")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        opening = milliseconds(page, lambda page: page.goto(path.as_uri()))
        print(f"{'open':16} {opening:6.0f}")
        times = [
            [milliseconds(page, a) for a in ACTIONS.values()] for _ in range(TRIES)
        ]
        for name, taken in zip(ACTIONS, zip(*times, strict=True), strict=True):
            print(f"{name:16} {min(taken):6.0f} .. {max(taken):.0f}")


if __name__ == "__main__":
    main()
