"""Record the picture of the explorer in the README: a map that converges.

    python tools/make_explorer_picture.py [docs/_static/explorer.webp]

It starts the explorer, and needs Chromium and Playwright.
"""

import io
import re
import shutil
import subprocess
import sys

from PIL import Image
from playwright.sync_api import sync_playwright

COMMAND = "from keras_explainable.cli import main; main()"
SAMPLES = range(3, 11)  # Powers of two.
WINDOW = {"width": 1240, "height": 730}
SIZE = 720, 424
MILLISECONDS = [900] * (len(SAMPLES) - 1) + [2500]


def frames(address):
    """Return a picture of the page for each number of samples."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        page.goto(address)
        page.wait_for_selector('#stage[data-done="true"]')
        page.locator("#album button").nth(2).click()
        page.locator("#noise_level").fill("0.4")
        for power in SAMPLES:
            page.locator("#repetitions").fill(str(power))
            page.wait_for_selector('#stage[data-done="true"]', timeout=120_000)
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            yield shot.resize(SIZE, Image.Resampling.LANCZOS)
        browser.close()


def main(path="docs/_static/explorer.webp"):
    """Record and save the picture."""
    arguments = [sys.executable, "-c", COMMAND, "explore", "--no-browser", "--port=0"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as server:
        try:
            lines = map(re.compile(r"http://\S+").search, server.stderr)
            address = next(filter(None, lines))[0]
            first, *others = frames(address)
        finally:
            server.terminate()
    options = {"append_images": others, "duration": MILLISECONDS, "loop": 0}
    first.save(path, save_all=True, quality=60, method=6, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
