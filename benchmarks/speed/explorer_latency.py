"""How soon does a map follow a change in the explorer, and how often is it replaced?

    KERAS_BACKEND=torch python -m benchmarks.speed.explorer_latency [--rounds 5]

In a real browser, a slider is moved to a noise level that was not seen before. Prints
the median and the largest time until the first map is drawn, in milliseconds, and how
many maps are drawn in each second after it. Needs Chromium and Playwright.
"""

import argparse
import os
import pathlib
import tempfile

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.explorer import MODELS, arguments, opened, server

#: Samples of each map: some seconds on two cores.
POWERS = {"demo": 9, "MobileNetV2": 7}

#: Resolves to the times of all maps after a change, up to the next frame of each.
TIMES = """level => new Promise((resolve) => {
    const slider = document.querySelector("#noise_level");
    const stage = document.querySelector("#stage");
    const times = [];
    const before = stage.getAttribute("aria-label");
    const observer = new MutationObserver(() => {
        const label = stage.getAttribute("aria-label");
        if (!times.length && !/ of 8 samples/.test(label)) return;
        requestAnimationFrame(() => setTimeout(() => {
            times.push(performance.now() - start);
            if (stage.dataset.done !== "true") return;
            observer.disconnect();
            resolve(times);
        }));
    });
    observer.observe(stage, { attributes: true, attributeFilter: ["aria-label"] });
    slider.value = level;
    const start = performance.now();
    slider.dispatchEvent(new Event("input"));
})"""


def times_of(model: str, rounds: int) -> list[list[float]]:
    """Return the milliseconds until each map of each round."""
    with tempfile.TemporaryDirectory() as folder:
        words = arguments(model, pathlib.Path(folder))
        with server(words) as (address, _), opened(address) as page:
            page.locator("#repetitions").fill(str(POWERS[model]))
            levels = np.linspace(0.2, 0.45, rounds + 1).round(2).tolist()
            return [page.evaluate(TIMES, level) for level in levels][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    args = parser.parse_args()
    for model in args.models:
        found = times_of(model, args.rounds)
        first = [times[0] for times in found]
        rates = [1000 * (len(x) - 1) / (x[-1] - x[0]) for x in found]
        print(
            f"{model:12s} first map {np.median(first):5.0f} ms, at most "
            f"{max(first):5.0f} ms; {np.median(rates):4.1f} maps per second, at least "
            f"{min(rates):4.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
