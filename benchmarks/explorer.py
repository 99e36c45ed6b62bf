"""The explorer of the command, started and opened for measurements."""

import contextlib
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

_COMMAND = "from keras_explainable.cli import main; main()"

#: Names of the models that are measured.
MODELS = ("demo", "MobileNetV2")

#: Arguments of Chromium, which makes no requests of its own.
_QUIET = [
    "--enable-precise-memory-info",
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
]


def arguments(model: str, folder: pathlib.Path) -> list[str]:
    """Return the images and the model to explore; random ones but for the demo."""
    if model == "demo":
        return []
    import keras

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (7, 7, 3), "uint8")
    Image.fromarray(pixels).resize((224, 224)).save(folder / "image.png")
    network = getattr(keras.applications, model)(weights=None)
    network.save(folder / "network.keras")
    given = [folder / "image.png", "--model", folder / "network.keras"]
    return [*map(str, given), "--preprocess", "tf"]


@contextlib.contextmanager
def server(words: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the address of an explorer, and the number of its process."""
    command = [sys.executable, "-c", _COMMAND, "explore", "--no-browser", "--port=0"]
    with subprocess.Popen(
        [*command, *words], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = map(re.compile(r"http://\S+").search, process.stderr)
            yield next(filter(None, lines))[0], process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def opened(address: str) -> Iterator[Page]:
    """Yield a page, after its first map is complete."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_QUIET
        )
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(address)
        page.wait_for_selector('#stage[data-done="true"]')
        yield page
        browser.close()
