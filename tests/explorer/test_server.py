"""The server through its own client: who may ask, and what is answered."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from support.explorer_frames import decoded

from keras_explainable.explorer import album as albums
from keras_explainable.explorer import server as servers
from keras_explainable.explorer.server import application

TOKEN = "a-secret-token-of-tests"
HOST = "127.0.0.1:8642"
ORIGIN = {"origin": f"http://{HOST}"}


@pytest.fixture
def client(session, album):
    app = application(session, album, TOKEN, (HOST, "localhost:8642"))
    with TestClient(app, base_url=f"http://{HOST}") as client:
        yield client


class Page:
    """A page's socket."""

    def __init__(self, socket):
        self.socket = socket
        self.hello = self.next()

    def next(self):
        return decoded(self.socket.receive_bytes())

    def ask(self, **message):
        self.socket.send_text(json.dumps(message))

    def until(self, kind, **entries):
        """Return the messages up to one with these entries."""
        wanted, found = {"kind": kind, **entries}, [{}]
        while any(found[-1].get(name) != value for name, value in wanted.items()):
            found.append(self.next())
            unexpected = found[-1]["kind"] == "error" != kind
            assert not unexpected, found[-1]["text"]
        return found[1:]


@pytest.fixture
def page(client):
    with client.websocket_connect(
        f"ws://{HOST}/{TOKEN}/socket", headers=ORIGIN
    ) as socket:
        yield Page(socket)


def png(size=(30, 20)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_page_and_its_parts_are_served_with_a_strict_policy(client):
    answer = client.get(f"/{TOKEN}/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    for name in servers.STATIC.iterdir():
        assert client.get(f"/{TOKEN}/{name.name}").status_code == 200
    page = answer.text + client.get(f"/{TOKEN}/explorer.css").text
    assert "http:" not in page
    assert "https:" not in page


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/main.js", {}),
        (f"/{TOKEN}x/", {}),
        (f"/{TOKEN[:-1]}/", {}),
        (f"//{TOKEN}/", {}),
        (f"/{TOKEN}/", {"host": "evil.example:8642"}),
        (f"/{TOKEN}/", {"host": "127.0.0.1"}),
        (f"/{TOKEN}/", {"origin": "http://evil.example"}),
        (f"/{TOKEN}/", {"origin": "null"}),
        ("/%C3%A9/", {}),
    ],
)
def test_other_tokens_hosts_and_origins_are_refused(client, path, headers):
    answer = client.get(path, headers=headers)
    assert answer.status_code == 403
    assert "printed" in answer.text


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (TOKEN, {}),
        (TOKEN, {"origin": "http://evil.example"}),
        (TOKEN, {"origin": "http://localhost:8642"}),  # Not the host that is asked.
        (TOKEN, ORIGIN | {"host": "evil.example"}),
        ("another-token-of-tests", ORIGIN),
    ],
)
def test_sockets_of_others_are_refused(client, token, headers):
    connect = client.websocket_connect(f"ws://{HOST}/{token}/socket", headers=headers)
    with pytest.raises(WebSocketDisconnect), connect:
        pass


def test_uploads_need_the_origin(client):
    assert client.post(f"/{TOKEN}/images?name=a.png", content=png()).status_code == 403


@pytest.mark.parametrize("path", ["..%2f..%2f__init__.py", "../server.py", "%2e%2e/a"])
def test_no_file_outside_of_the_page_is_served(client, path):
    assert client.get(f"/{TOKEN}/{path}").status_code in (403, 404)


def test_a_map_is_streamed_until_all_samples_are_there(page, run, network):
    page.ask(kind="explain", panel=0, request=7, image=0, unit=2, repetitions=32)
    image, *maps = page.until("map", done=True)
    assert image["kind"] == "image"
    assert len(image["scores"]) == 4
    assert {each["request"] for each in (image, *maps)} == {7}
    assert [each["done"] for each in maps[:-1]] == [False] * (len(maps) - 1)
    assert maps[-1]["repetitions"] == 32
    assert 0 < maps[-1]["error"] < maps[0]["error"] + 1
    assert maps[-1]["map"].shape == (12, 12)
    assert maps[-1]["map"].min() >= 0


def test_without_a_unit_the_likeliest_class_is_explained(page):
    page.ask(kind="explain", panel=0, request=1, image=1, repetitions=8)
    image, last = page.until("map", done=True)
    assert last["unit"] == image["best"][0] == int(np.argmax(image["scores"]))


def test_a_new_setting_ends_the_one_that_runs(page, passes):
    ask = {"kind": "explain", "panel": 0, "image": 0, "unit": 1}
    page.ask(**ask, request=1, repetitions=4096)
    page.until("map", request=1)
    page.ask(**ask, request=2, repetitions=16, seed=3)
    page.until("map", request=2, done=True)
    assert passes[-1] == ("smoothgrad", 8, 16)
    assert max(each[2] for each in passes) < 4096


def test_both_sides_are_finished_when_one_is_asked_for_in_between(page):
    ask = {"kind": "explain", "image": 0, "unit": 1}
    page.ask(**ask, panel=0, request=1, repetitions=256)
    page.ask(**ask, panel=1, request=2, repetitions=256, noise_level=0.3)
    found = page.until("map", done=True)
    found += page.until("map", done=True)
    done = {each["panel"] for each in found if each.get("done")}
    assert done == {0, 1}


def test_views_need_no_pass(page, passes):
    ask = {"kind": "explain", "panel": 0, "image": 0, "unit": 1, "repetitions": 64}
    page.ask(**ask, request=0)
    page.until("map", done=True)
    before = len(passes)
    views = [{"statistic": "square"}, {"statistic": "variance"}, {"signed": True}, {}]
    for number, view in enumerate(views, 1):
        page.ask(**ask, **view, request=number)
        known, _ = page.until("map", request=number, done=True)
        errors = dict(known["errors"])
        assert [*errors] == [8, 16, 32, 64]
        assert errors[64] < errors[8]
    assert len(passes) == before


def test_the_tolerance_ends_a_run(page):
    ask = {"kind": "explain", "panel": 0, "image": 0, "unit": 1, "repetitions": 4096}
    page.ask(**ask, request=1, tolerance=0.4)
    *before, last = [x for x in page.until("map", done=True) if x["kind"] == "map"]
    assert last["error"] <= 0.4
    assert last["repetitions"] < 4096
    assert all(each["error"] > 0.4 for each in before)


def test_questions_on_a_map(page, run):
    page.ask(kind="point", panel=0, x=1, y=1)
    assert page.next()["text"] == "There is no map yet."
    page.ask(kind="explain", panel=0, request=1, image=0, unit=2, repetitions=64)
    shown = page.until("map", done=True)[-1]["map"]
    page.ask(kind="point", panel=0, x=3, y=99)  # Outside: the nearest pixel.
    point = page.next()
    assert (point["x"], point["y"]) == (3, 11)
    assert point["value"] == pytest.approx(shown[11, 3], rel=1e-4)
    assert 0 < point["error"] < 10 * point["largest"]
    page.ask(kind="box", panel=0, left=5, top=0, right=2, bottom=11)
    box = page.next()
    assert box["area"] == pytest.approx(4 / 12)
    assert box["share"] == pytest.approx(shown[:, 2:6].sum() / shown.sum(), rel=1e-4)
    assert 0 < box["error"] < 0.5
    page.ask(kind="lines", panel=0)
    assert "repetitions=64" in page.next()["text"]


def test_the_archive_is_that_of_the_map_on_the_page(page):
    page.ask(kind="archive", panel=0)
    assert page.next()["text"] == "There is no map yet."
    page.ask(kind="explain", panel=0, request=1, image=0, unit=2, method="gradcam")
    shown = page.until("map", done=True)[-1]["map"]
    page.ask(kind="archive", panel=0)
    with np.load(io.BytesIO(page.next()["content"])) as saved:
        np.testing.assert_array_equal(saved["map"], shown)


@pytest.mark.parametrize(
    "entries",
    [
        {"image": 99},
        {"image": -1},
        {"image": "0"},
        {"image": None},
        {"unit": 4},
        {"unit": -1},
        {"unit": True},
        {"unit": 1.5},
        {"repetitions": 4097},
        {"repetitions": 4},
        {"repetitions": "8"},
        {"noise_level": 15},
        {"noise_level": -0.1},
        {"noise_level": float("nan")},
        {"noise_level": None},
        {"method": "__class__"},
        {"method": ["gradients"]},
        {"estimator": "auto"},
        {"statistic": "square", "estimator": "hybrid"},
        {"signed": 1},
        {"seed": -1},
        {"seed": 2**40},
        {"tolerance": "0.1"},
        {"panel": 2},
        {"panel": [0]},
        {"kind": "close"},
        {"kind": "picture", "image": "0"},
        {"kind": None},
    ],
)
def test_wrong_messages_are_answered_and_the_page_goes_on(page, passes, entries):
    ask = {"kind": "explain", "panel": 0, "request": 1, "image": 0, "unit": 1}
    page.ask(**ask | entries)
    answer = page.until("error")[-1]
    assert answer["text"]
    assert passes == []
    page.ask(**ask, repetitions=8)
    assert page.until("map")[-1]["done"]


@pytest.mark.parametrize("number", ["NaN", "1e999", '"a"', "[1]", "null"])
def test_what_is_no_number_of_a_request_is_not_sent_back(page, number):
    ask = '{"kind": "explain", "panel": 0, "image": 0, "unit": 1, "repetitions": 8, '
    page.socket.send_text(f'{ask}"request": {number}}}')
    assert page.until("map")[-1]["request"] is None
    page.ask(kind="explain", panel=0, request=3, image=0, unit=1, repetitions=8)
    assert page.until("map")[-1]["request"] == 3


@pytest.mark.parametrize("text", ["", "[]", "{", "1", '"a"', "[" * 9999, "x" * 70_000])
def test_what_is_no_message_is_answered(page, text):
    page.socket.send_text(text)
    assert page.next()["kind"] == "error"


def test_what_the_library_says_of_a_model_is_on_the_page(page):
    page.ask(kind="explain", panel=0, request=0, image=0, repetitions=8)
    page.until("map")
    page.ask(kind="explain", panel=0, request=1, image=0, method="attention_rollout")
    assert "attention" in page.until("error", request=1)[-1]["text"]
    page.ask(kind="point", panel=0, x=1, y=1)  # Not of the map before.
    assert page.until("error")[-1]["text"] == "There is no map yet."


def test_pictures_are_dropped(client, page):
    post = {"headers": ORIGIN}
    name = "..%2f%2e%2e\\photos/a<b>%0a.png"
    answer = client.post(f"/{TOKEN}/images?name={name}", content=png(), **post)
    assert answer.json() == {"key": 3, "name": "a<b>\N{REPLACEMENT CHARACTER}.png"}
    page.ask(kind="picture", image=3)
    assert Image.open(io.BytesIO(page.next()["content"])).size == (12, 12)
    page.ask(kind="explain", panel=0, request=1, image=3, repetitions=8)
    assert page.until("map", request=1)[-1]["image"] == 3


def test_what_cannot_be_dropped_is_said(client, monkeypatch):
    def post(content):
        address = f"/{TOKEN}/images?name=a.png"
        return client.post(address, content=content, headers=ORIGIN)

    answer = post(b"no image")
    assert answer.status_code == 422
    assert answer.json()["error"] == "a.png is not an image or has an unknown format."
    monkeypatch.setattr(servers, "UPLOAD", 1000)
    assert post(b"x" * 1001).status_code == 413
    monkeypatch.setattr(albums, "MOST_DROPPED", 1)
    assert post(png()).status_code == 200
    assert "At most 1" in post(png()).json()["error"]


def test_many_pages_take_turns(client):
    """Each is answered while a long run of the first goes on, which its end stops."""
    connect = client.websocket_connect
    with connect(f"ws://{HOST}/{TOKEN}/socket", headers=ORIGIN) as first:
        Page(first).ask(kind="explain", panel=0, request=1, image=0, repetitions=4096)
        for number in range(20):
            with connect(f"ws://{HOST}/{TOKEN}/socket", headers=ORIGIN) as socket:
                page = Page(socket)
                page.ask(kind="explain", panel=0, image=1, seed=number, repetitions=8)
                assert page.until("map", done=True)[-1]["repetitions"] == 8
