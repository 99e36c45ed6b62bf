"""The explorer of notebooks, without a browser: its messages, and what is refused."""

import asyncio
import hashlib
import io
import queue
import sys
import threading
from pathlib import Path

import IPython.display
import numpy as np
import pytest
from PIL import Image
from support.explorer_frames import decoded

import keras_explainable as ke
from keras_explainable.explorer import explore, kernel_pages
from keras_explainable.plotting.image_range import as_rgb

ROOT = Path(__file__).parents[2]
EXPLORER = ROOT / "src/keras_explainable/explorer"
NAMES = ["cat", "dog", "<b>mouse</b>", "house"]


@pytest.fixture(scope="module")
def images(pixels):
    return np.stack(pixels).astype("float32")


class View:
    """One place where a widget is shown."""

    def __init__(self, widget, name="1"):
        self.widget, self.name, self.frames = widget, name, queue.Queue()
        widget.send = self.send

    def send(self, content, buffers):
        assert content == {"view": self.name}
        self.frames.put(decoded(buffers[0]))

    def ask(self, **message):
        self.widget._handle_custom_msg({**message, "view": self.name}, [])

    def until(self, kind, **entries):
        while True:
            found = self.frames.get(timeout=20)
            assert found["kind"] != "error" or kind == "error", found["text"]
            if {"kind": kind, **entries}.items() <= found.items():
                return found


@pytest.fixture
def view(network, images):
    widget = ke.explore(network, images, [[2, 0]] * 3, class_names=NAMES)
    yield View(widget)
    widget.close()


def test_the_module_is_made_from_the_present_sources():
    sources = [*sorted((ROOT / "web").glob("*.js")), *sorted(EXPLORER.glob("static/*"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    first, _, rest = (EXPLORER / "widget.js").read_text("utf-8").partition("\n")
    assert first.endswith(digest.hexdigest()), "run: npm run build (in web/)"
    assert "http" not in rest.replace("http://www.w3.org/2000/svg", "")


def test_maps_are_those_of_the_library(view, network, images):
    view.ask(kind="hello")
    hello = view.until("hello")
    assert (hello["classes"], len(hello["images"])) == (NAMES, 3)
    assert not hello["uploads"]
    view.ask(kind="explain", panel=0, request=1, image=1, repetitions=32, seed=4)
    assert view.until("image")["best"][:2] == [2, 0]  # Those of `y` come first.
    last = view.until("map", done=True)
    assert last["unit"] == 2
    params = {"repetitions": 32, "seed": 4, "estimator": "sampled", "verbose": 0}
    stats = ke.smoothgrad(network, images, [2] * 3, return_stats=True, **params).stats
    expected = abs(stats.maps[1, ..., 0]).mean(-1)
    np.testing.assert_allclose(last["map"], expected, rtol=1e-3, atol=1e-8)


def test_pictures_archives_and_answers_are_messages(view, images):
    view.ask(kind="hello")
    view.ask(kind="picture", image=2)
    picture = Image.open(io.BytesIO(view.until("picture", image=2)["content"]))
    np.testing.assert_array_equal(picture, images[2])
    view.ask(kind="explain", panel=0, request=1, image=2, repetitions=8)
    view.until("map", done=True)
    view.ask(kind="point", panel=0, x=1, y=2)
    assert view.until("point")["y"] == 2
    view.ask(kind="archive", panel=0)
    with np.load(io.BytesIO(view.until("archive")["content"])) as saved:
        np.testing.assert_array_equal(saved["inputs"], images[2:])
        assert "ke.explore" in str(saved["code"])
    view.ask(kind="explain", panel=0, request=2, image=3)
    assert "number of images" in view.until("error", request=2)["text"]


def test_where_the_widget_cannot_run_a_sentence_says_so(view, monkeypatch):
    shown = {}
    monkeypatch.setattr(
        IPython.display, "display", lambda data, raw: shown.update(data)
    )
    data, _ = view.widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    for kind in ("text/html", "text/plain"):
        assert "needs a running notebook" in shown[kind]


def test_a_new_setting_and_a_closed_page_end_what_runs(view, monkeypatch):
    session = view.widget._pages._session
    view.ask(kind="hello")
    ask = {"kind": "explain", "panel": 0, "image": 0}
    view.ask(**ask, request=1, repetitions=4096)
    view.until("map", request=1)
    view.ask(**ask, request=2, repetitions=8, noise_level=0.3)
    assert view.until("map", done=True)["request"] == 2
    view.ask(**ask, request=3, repetitions=4096, noise_level=0.4)
    view.until("map", request=3)
    view.ask(kind="close")
    view.ask(**ask, request=4, repetitions=8)  # Nobody asks.
    kernel_pages._worker().submit(lambda: None).result(timeout=20)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), kernel_pages._loop()).result()
    assert session.kept.nbytes == 0
    assert view.frames.qsize() < 9


def test_messages_are_sent_from_the_thread_of_the_notebook(network, images):
    found = []

    async def cell():
        widget = ke.explore(network, images)
        widget.send = lambda *_: found.append(threading.current_thread())
        widget._handle_custom_msg({"kind": "hello", "view": "1"}, [])
        while not found:
            await asyncio.sleep(0.01)
        widget.close()

    asyncio.run(cell())
    assert found == [threading.current_thread()]


def test_a_notebook_that_is_loaded_again_and_again_has_few_pages(network, images):
    widget = ke.explore(network, images)
    for number in range(kernel_pages.MOST_PAGES + 3):
        view = View(widget, str(number))
        view.ask(kind="hello")
        view.until("hello")
    assert [*widget._pages._pages] == [str(number) for number in range(3, number + 1)]
    widget.close()


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([0, 1], [0, 255]),
        ([0, 255], [0, 255]),
        ([-1, 0, 3], [0, 64, 255]),
        (np.array([3, 200], "uint8"), [3, 200]),
        ([[0.2, 0.6]], [102]),
        ([7, 7], [7, 7]),
    ],
)
def test_pictures_are_scaled_by_the_range_of_all_images(images, expected):
    values = np.asarray(images)
    values = values.reshape(1, 1, -1, 1) if values.ndim == 1 else values[None, None]
    shown = as_rgb(values)
    assert shown.shape == (1, 1, len(expected), 3)
    np.testing.assert_array_equal(shown[0, 0, :, 0], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 12, 12, 2)),), "channels|shape"),
        ((np.ones((12, 12)),), r"`images` must be of shape .*received shape \(12, 12"),
        ((np.ones((0, 12, 12, 3)),), r"`images` must be of shape"),
        ((np.ones((2, 12, 12, 3)), [9, 0]), "unit"),
        ((np.ones((2, 12, 12, 3)), [0]), "`y` must have shape"),
        ((np.ones((2, 12, 12, 3)), None, ["cat"]), "each of the model's 4 units"),
    ],
)
def test_wrong_arguments_are_named(network, arguments, message):
    images, y, names = (*arguments, None, None)[:3]
    with pytest.raises(ValueError, match=message):
        ke.explore(network, images, y, class_names=names)


def test_a_single_image_and_some_names_are_enough(network, images):
    widget = ke.explore(network, images[0], class_names={1: "dog"})
    assert widget._pages._images.model.classes == ("0", "dog", "2", "3")
    assert len(widget._pages._images.names) == 1
    widget.close()


def test_the_only_unit_has_the_name_of_label_1():
    assert explore._names(["even", "odd"], 1) == explore._names(["odd"], 1) == ("odd",)
    assert explore._names({0: "even", 1: "odd"}, 1) == ("odd",)
    with pytest.raises(ValueError, match="speaks for label 1"):
        explore._names(["a", "b", "c"], 1)


def test_without_the_extra_one_sentence_names_it(network, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ImportError, match=r"anywidget.*keras-explainable\[notebook\]"):
        ke.explore(network, images)
