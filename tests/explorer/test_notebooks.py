"""The widget in a real JupyterLab and a real Notebook 7, with the bundled network."""

import contextlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import TimeoutError as TimedOut
from support.browsers import launched, needs_browser, new_page

pytestmark = needs_browser

CELLS = (
    "import keras_explainable as ke\n"
    "model, samples = ke.demo.load_model(), ke.demo.load_samples()\n"
    "ke.explore(model, samples.images[:4], samples.labels[:4])",
    "6 * 7",
)


def notebook():
    cells = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "outputs": []}
        | {"execution_count": None, "source": source}
        for number, source in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}} | {
        "nbformat": 4,
        "nbformat_minor": 5,
    }


#: By the module of each application, what leads to a notebook in its addresses, and
#: what shows that its kernel is ready.
APPLICATIONS = {
    "jupyterlab": ("/lab/tree/", "text='Python 3 (ipykernel) | Idle'"),
    "notebook": ("/notebooks/", ".jp-Notebook-ExecutionIndicator[data-status='idle']"),
}


@pytest.fixture
def served(tmp_path, request):
    """The address of a notebook, and what shows that it is ready.

    The server shares nothing with the user's.
    """
    application = getattr(request, "param", "jupyterlab")
    path, ready = APPLICATIONS[application]
    (tmp_path / "explore.ipynb").write_text(json.dumps(notebook()))
    folders = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    own = {f"JUPYTER_{name}": str(tmp_path / "own" / name) for name in folders}
    own |= {"IPYTHONDIR": str(tmp_path / "own"), "OMP_NUM_THREADS": "1"}
    options = ["--no-browser", "--allow-root", "--port=0", "--ServerApp.ip=127.0.0.1"]
    options += [
        f"--ServerApp.root_dir={tmp_path}",
        f"--LabApp.workspaces_dir={tmp_path}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", application, *options],
        env={**os.environ, **own},
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = map(re.compile(r"(http://127[^/]+)\S*\?(\S+)").search, process.stderr)
    root, token = next(filter(None, lines)).groups()
    yield f"{root}{path}explore.ipynb?{token}", ready
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture
def page(served):
    """The notebook, whose first cell shows the widget."""
    messages, hosts, contexts = [], set(), []
    with launched() as browser:
        page = new_page(browser, contexts, messages, viewport=SIZE)
        page.set_default_timeout(90_000)
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        address, ready = served
        page.goto(address)
        page.wait_for_selector(ready)
        run_first_cell(page)
        yield page
    assert [text for text in messages if "explor" in text or "blob:" in text] == []
    assert {host.partition(":")[0] for host in hosts} - {""} == {"127.0.0.1"}


SIZE = {"width": 1300, "height": 1000}


def run_cell(page, number):
    page.locator(".jp-CodeCell .cm-content").nth(number).click()
    page.keyboard.press("Control+Enter")


def run_first_cell(page):
    """Run it, again if the kernel was not ready yet."""
    runs = "() => /[*\\d]/.test(document.querySelector('.jp-InputPrompt').textContent)"
    for _ in range(10):
        run_cell(page, 0)
        with contextlib.suppress(TimedOut):
            page.wait_for_function(runs, timeout=5_000)
            return


def finished(page, text):
    page.wait_for_selector('#stage[data-done="true"]')
    assert text in page.inner_text("#progress")


def canvas(page):
    """Return the pixels of the map, RGBA."""
    data = page.locator("#map-0").evaluate("""canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext("2d", { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    }""")
    return np.reshape(data, (96, 96, 4))


def test_the_widget_does_what_the_page_of_the_server_does(page):
    finished(page, "64 samples, relative error 0.")
    assert page.inner_text("#status").endswith("Connected")
    assert page.locator("#album img[src^=blob]").count() == 4
    assert page.locator("#add").is_hidden()
    note = page.locator(".keras-explainable-note")
    assert note.count() == 1
    assert note.is_hidden()
    first = canvas(page)
    assert np.ptp(first[..., 3]) > 100

    page.locator("#noise_level").fill("0.4")
    page.locator("#repetitions").fill("12")  # It is ended by what comes next.
    page.wait_for_selector('#stage[data-done="false"]')
    page.locator("#repetitions").fill("5")
    finished(page, "32 samples")
    assert np.abs(canvas(page) - first).max() > 30

    # The kernel is free meanwhile: a cell runs, and its output appears.
    page.locator("#repetitions").fill("12")
    run_cell(page, 1)
    page.wait_for_selector(".jp-OutputArea-executeResult pre:text-is('42')")
    page.locator("#stage").scroll_into_view_if_needed()
    page.locator("#repetitions").fill("6")

    page.locator("#top button").nth(1).click()
    finished(page, "64 samples")
    page.locator("#stage").click(position={"x": 100, "y": 60})
    page.wait_for_selector("#point:text('±')")
    page.keyboard.press("c")  # Of the page, and of no command of JupyterLab's.
    page.wait_for_selector("#map-1:visible")
    finished(page, "B: 64 samples")
    page.keyboard.press("b")
    assert page.locator(".jp-CodeCell").count() == len(CELLS)

    page.select_option("#method", "attention_rollout")
    page.wait_for_selector("#error:visible")
    assert "attention" in page.inner_text("#error")
    with page.expect_download() as download:
        page.click("#sides [value='0']")
        page.click("#npz")
    with np.load(download.value.path()) as arrays:
        assert arrays["map"].shape == (96, 96)

    end_kernel(page)
    page.locator("#seed").fill("1")
    page.wait_for_selector("#status.lost")
    assert "The kernel does not answer" in page.inner_text("#status")


@pytest.mark.parametrize("served", ["notebook"], indirect=True)
def test_the_widget_in_notebook_7(page):
    finished(page, "64 samples, relative error 0.")
    first = canvas(page)
    page.locator("#noise_level").fill("0.4")
    finished(page, "64 samples")
    assert np.abs(canvas(page) - first).max() > 30


def end_kernel(page):
    """End the kernel, of which the page hears at once."""
    page.evaluate("""async () => {
        const config = document.querySelector("#jupyter-config-data").text;
        const { token } = JSON.parse(config);
        const headers = { Authorization: `token ${token}` };
        const [{ id }] = await (await fetch("/api/kernels", { headers })).json();
        await fetch(`/api/kernels/${id}`, { method: "DELETE", headers });
    }""")
