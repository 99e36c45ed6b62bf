"""The page in a real browser, with the real server and the bundled network."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browsers import launched, needs_browser, new_page

pytestmark = needs_browser

TOKEN = "a-token-that-outlives-its-server"

SERVER = "from keras_explainable.cli import main; main()"


def start(port=0):
    """Start the server; return its process and address."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, "explore", "--no-browser", "--port", str(port)],
        env={**os.environ, "KERAS_EXPLAINABLE_TOKEN": TOKEN},
        stderr=subprocess.PIPE,
        text=True,
    )
    text = ""
    for line in process.stderr:
        text += line
        if found := re.search(r"http://\S+", line):
            return process, found[0]
    raise AssertionError(text)


@pytest.fixture(scope="module")
def server():
    """The process of the server, and its address."""
    found = dict(zip(("process", "address"), start(), strict=True))
    yield found
    found["process"].kill()
    found["process"].communicate()


@pytest.fixture
def address(server):
    return server["address"]


def expect_not(page, selector, text):
    from playwright.sync_api import expect

    expect(page.locator(selector)).not_to_contain_text(text, timeout=15_000)


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(browser):
    """Open pages; fail on requests to anywhere else and on any console message."""
    contexts, messages, hosts = [], [], set()

    def open_(address, **settings):
        page = new_page(browser, contexts, messages, **settings)
        page.set_default_timeout(15_000)
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        page.goto(address)
        finished(page)
        return page

    open_.messages = messages
    yield open_
    for context in contexts:
        context.close()
    assert messages == []
    assert {host.partition(":")[0] for host in hosts} - {""} == {"127.0.0.1"}


@pytest.fixture
def page(opened, address):
    return opened(address)


def finished(page, samples=None):
    """Wait until the maps are those of all samples."""
    page.wait_for_selector('#stage[data-done="true"]')
    if samples:
        assert f"{samples} samples" in page.inner_text("#progress")


def wait_for(page, selector, text):
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_contain_text(text, timeout=15_000)


def canvas(page, side=0):
    """Return the pixels of a map, RGBA."""
    code = f"""() => {{
        const canvas = document.querySelector("#map-{side}");
        const {{ width, height }} = canvas;
        const copy = new OffscreenCanvas(width, height);
        const context = copy.getContext("2d", {{ willReadFrequently: true }});
        context.drawImage(canvas, 0, 0);
        const {{ data }} = context.getImageData(0, 0, width, height);
        return [height, width, [...data]];
    }}"""
    height, width, data = page.evaluate(code)
    return np.reshape(data, (height, width, 4))


def canvas_size(page):
    return page.evaluate("document.querySelector('#map-0').width")


def test_the_first_map_is_that_of_the_likeliest_class(page):
    assert page.inner_text("#status").endswith("Connected")
    assert page.inner_text("#progress").startswith("64 samples, relative error 0.")
    best = page.locator("#top button").first.inner_text()
    share, digit = best.rsplit(maxsplit=1)
    assert share.endswith("%")
    assert page.input_value("#class") == f"{digit}: {digit}"
    assert page.locator("#album img").count() == 12
    assert canvas(page).shape == (96, 96, 4)
    assert page.locator("#curve circle").count() >= 3


def test_sliders_change_the_map_and_going_back_costs_nothing(page):
    before = canvas(page)
    page.locator("#noise_level").fill("0.4")
    finished(page)
    assert "40 %" in page.inner_text("#noise_level-text")
    changed = canvas(page)
    assert np.abs(changed - before).max() > 30
    page.locator("#repetitions").fill("7")
    finished(page, 128)
    page.locator("#noise_level").fill("0.15")
    page.locator("#repetitions").fill("6")
    finished(page, 64)
    np.testing.assert_array_equal(canvas(page), before)


def test_a_long_run_is_ended_by_another(page):
    page.locator("#repetitions").fill("12")
    page.wait_for_selector('#stage[data-done="false"]')
    page.select_option("#method", "gradcam")
    finished(page)
    assert page.inner_text("#progress") == "no samples"
    assert page.locator("#noise_level").is_disabled()


def test_the_line_of_the_tolerance_ends_a_run(page):
    box = page.locator("#curve").bounding_box()
    handle = page.locator(".tolerance")
    start = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(
        box["x"] + box["width"] / 2, box["y"] + 0.5 * box["height"], steps=4
    )
    page.mouse.up()
    tolerance = float(handle.get_attribute("aria-valuenow"))
    assert 0.05 < tolerance < 0.5
    page.locator("#repetitions").fill("12")
    finished(page)
    error = float(page.inner_text("#progress").split()[-1])
    assert error <= tolerance
    handle.focus()
    page.keyboard.press("ArrowUp")
    assert float(handle.get_attribute("aria-valuenow")) > tolerance


def test_classes_are_searched_by_name_number_and_score(page):
    page.locator("#top button").nth(1).click()
    finished(page)
    second = page.input_value("#class")
    page.fill("#class", "7")
    page.keyboard.press("Enter")
    finished(page)
    assert page.input_value("#class") == "7: 7" != second
    names = ["skunk, polecat", "tabby cat"]
    code = """async names => {
        const { unitOf } = await import(new URL("classes.js", location));
        return ["cat", "CAT,", "pole", "1"].map(text =>
            unitOf({ hello: { classes: names }, facts: null }, text));
    }"""
    assert page.evaluate(code, names) == [1, None, 0, 1]
    page.fill("#class", "no digit")
    page.keyboard.press("Tab")
    assert "No class is called" in page.inner_text("#error")


def test_views_are_drawn_by_the_page(page):
    first = canvas(page)
    page.select_option("#colors", "viridis")
    assert np.abs(canvas(page) - first)[..., :3].max() > 50
    page.locator("#opacity").fill("0")
    assert canvas(page)[..., 3].max() == 0
    page.select_option("#layers", "map")
    assert canvas(page)[..., 3].min() == 255
    page.select_option("#signed", "1")
    wait_for(page, "#low", "−")
    colors = canvas(page)[..., :3].astype(int)
    assert (colors[..., 2] - colors[..., 0]).max() > 50  # Blue: against the class.
    assert (colors[..., 0] - colors[..., 2]).max() > 50  # Red: for it.
    page.select_option("#statistic", "variance")
    finished(page, 64)
    assert page.locator("#signed").is_disabled()
    page.select_option("#method", "gradcam")  # It has no other statistic.
    finished(page)
    assert page.locator("#error").is_hidden()


def test_clicks_and_boxes_tell_numbers(page):
    page.locator("#repetitions").fill("8")
    finished(page, 256)
    box = page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.5
    page.mouse.click(x, y)
    wait_for(page, "#point", "±")
    assert "Column 24, row 48" in page.inner_text("#point")
    assert page.locator("#patch").is_visible()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] / 2, y + box["height"] / 4, steps=4)
    page.mouse.up()
    wait_for(page, "#share", "±")
    share = re.search(r"([\d.]+) % ± .* on ([\d.]+) %", page.inner_text("#share"))
    assert 0 < float(share[1]) < 100
    assert 12 < float(share[2]) < 15
    page.select_option("#method", "gradcam")  # The numbers are those of the new map.
    finished(page)
    expect_not(page, "#share", "±")


def test_keys_do_the_same(page):
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_for(page, "#point", "of")
    assert "Column 51, row 48" in page.inner_text("#point")
    page.keyboard.press("Shift+ArrowDown")
    wait_for(page, "#share", "of")
    assert "inside" in page.inner_text("#share")


def test_two_settings_are_compared(page):
    page.keyboard.press("c")
    page.locator("#noise_level").fill("0.45")
    wait_for(page, "#progress", "B: 64")
    finished(page)
    assert np.abs(canvas(page, 0) - canvas(page, 1)).max() > 30
    assert page.locator("#map-1").is_visible()
    page.locator("#split").fill("20")
    assert "80%" in page.evaluate("document.querySelector('#map-0').style.clipPath")
    page.keyboard.press("a")
    assert page.input_value("#noise_level") == "0.15"
    page.keyboard.press("c")
    assert not page.locator("#map-1").is_visible()


def test_what_one_of_two_settings_lacks(page):
    page.keyboard.press("c")
    page.select_option("#method", "attention_rollout")
    page.wait_for_selector("#error:not([hidden])")
    assert page.is_disabled("#npz")
    page.keyboard.press("a")
    assert page.is_enabled("#npz")
    assert page.inner_text("#high")
    page.keyboard.press("b")
    assert page.is_disabled("#npz")
    assert not page.inner_text("#high")
    page.keyboard.press("c")
    page.wait_for_selector("#error", state="hidden")


def test_maps_are_saved(page, tmp_path):
    def saved(selector):
        with page.expect_download() as download:
            page.click(selector)
        download.value.save_as(tmp_path / "saved")
        return tmp_path / "saved"

    with np.load(saved("#npz")) as arrays:
        assert arrays["map"].shape == (96, 96)
        assert arrays["repetitions"] == 64
    with Image.open(saved("#png")) as picture:
        assert picture.size == (96, 96)
    page.click("#python")
    wait_for(page, "#code pre", "ke.demo.load_model()")
    assert "repetitions=64" in page.inner_text("#code pre")


def test_a_picture_is_dropped(page):
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (60, 90, 3), "uint8")).save(buffer, "PNG")
    code = """bytes => {
        const files = new DataTransfer();
        const content = new Uint8Array(bytes);
        files.items.add(new File([content], "<i>mine.png", { type: "image/png" }));
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: files }));
    }"""
    count = page.locator("#album img").count()
    page.evaluate(code, [*buffer.getvalue()])
    page.wait_for_selector(f"#album button:nth-child({count + 1})[aria-pressed=true]")
    finished(page, 64)
    assert page.locator("#album img").last.get_attribute("alt") == "<i>mine.png"
    assert "<i>mine.png" in page.locator("#stage").get_attribute("aria-label")


def test_what_is_no_picture_is_said(opened, address):
    page = opened(address)
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.set_input_files("#files", file)
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error").startswith("notes.txt is not an image")
    assert all("422" in text for text in opened.messages)
    opened.messages.clear()


def test_what_is_no_picture_is_said_beside_one_that_is(opened, address):
    """In either order, until another picture is chosen."""
    page = opened(address)
    finished(page, 64)
    bad = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    good = {"name": "grey.png", "mimeType": "image/png", "buffer": grey_png()}
    for files in ([bad, good], [good, bad]):
        count = page.locator("#album img").count()
        page.set_input_files("#files", files)
        page.wait_for_selector(
            f"#album button:nth-child({count + 1})[aria-pressed=true]"
        )
        finished(page, 64)
        page.wait_for_selector("#error:text('notes.txt is not an image')")
    page.locator("#album button").first.click()
    page.wait_for_selector("#error", state="hidden")
    opened.messages.clear()


def grey_png():
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "grey").save(buffer, "PNG")
    return buffer.getvalue()


def test_what_cannot_be_explained_is_said_and_leaves_no_map(page):
    page.select_option("#method", "attention_rollout")
    page.wait_for_selector("#error:not([hidden])")
    assert "attention" in page.inner_text("#error")
    assert canvas_size(page) == 0
    assert page.inner_text("#progress") == "no map"
    for name in ("png", "npz", "python"):  # There is nothing to save.
        assert page.is_disabled(f"#{name}")
    page.select_option("#method", "gradcam")
    finished(page)
    assert page.locator("#error").is_hidden()
    assert canvas(page).shape == (96, 96, 4)


def cpu_seconds(process):
    """Return the time that a process has computed."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


TWENTY = """async () => {
    const path = new URL("server_connection.js", location);
    const { ServerConnection } = await import(path);
    const ask = { kind: "explain", panel: 0, request: 1, image: 0, repetitions: 32 };
    const sum = (content) => new Float32Array(content).reduce((a, b) => a + b);
    const sumOfMap = (noise_level) => new Promise((resolve) => {
        const connection = new ServerConnection((message) => {
            if (message.kind === "hello") connection.send({ ...ask, noise_level });
            if (message.done) resolve(sum(message.content));
        }, () => {});
    });
    return Promise.all([...Array(20).keys()].map((number) => sumOfMap(number / 20)));
}"""


def test_twenty_at_once_get_their_own_maps(opened, server, address):
    """They are connections as pages have them, beside a page that wants much more."""
    page = opened(address)
    page.locator("#repetitions").fill("12")
    sums = page.evaluate(TWENTY)
    assert len({*sums}) == len(sums) == 20
    assert page.locator('#stage[data-done="false"]').count() == 1
    page.context.close()  # Nobody wants its map any more.
    before = cpu_seconds(server["process"])
    time.sleep(1)
    assert cpu_seconds(server["process"]) - before < 0.6


def test_a_page_connects_again_when_the_server_is_back(opened, server, address):
    page = opened(address)
    file = {"name": "mine.png", "mimeType": "image/png", "buffer": grey_png()}
    page.set_input_files("#files", file)
    page.wait_for_selector("#album button[title='mine.png'][aria-pressed=true]")
    server["process"].send_signal(signal.SIGKILL)
    server["process"].communicate()
    page.wait_for_selector("#status.lost")
    assert "cannot be reached" in page.inner_text("#status")
    page.set_input_files("#files", file | {"name": "other.png"})
    page.wait_for_selector("#error:text('other.png did not reach the server')")
    server["process"], again = start(address.split(":")[2].split("/")[0])
    assert again == address
    page.wait_for_selector("#status:not(.lost)")
    assert "without mine.png" in page.inner_text("#error")
    assert page.locator("#album button[aria-pressed=true]").count() == 1
    page.locator("#noise_level").fill("0.3")
    finished(page, 64)
    opened.messages.clear()  # The browser notes each attempt in vain.


@pytest.mark.parametrize("width", [420, 800, 1300])
def test_the_page_fits_the_window(opened, address, width):
    page = opened(address, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    rename = "(button, name) => (button.textContent = name)"
    for button in page.locator("#top button").all():
        button.evaluate(
            rename, "0.1 % American_Staffordshire_terrier, pit bull terrier"
        )
    for control in page.locator("#controls :is(input, select):visible").all():
        card = control.locator("xpath=ancestor::fieldset | ancestor::label").first
        box, around = control.bounding_box(), card.bounding_box()
        assert box["x"] + box["width"] <= around["x"] + around["width"] <= width


def test_everything_has_a_name_for_screen_readers(page):
    for role in ("button", "combobox", "slider", "spinbutton", "checkbox", "link"):
        for found in page.get_by_role(role).all():
            snapshot = found.aria_snapshot()
            assert re.search(r'- \w+ "', snapshot), snapshot
    slider = page.get_by_role("slider", name="Samples")
    assert slider.get_attribute("aria-valuetext") == "64"
    name = page.get_by_role("img", name=re.compile("SmoothGrad map of 64 samples"))
    assert name.count() == 1
