"""The page in a real browser."""

import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image
from support.browsers import launched, needs_browser, new_page

from keras_explainable.plotting import colormaps
from keras_explainable.plotting.seen_part import SeenPart
from keras_explainable.report import image_card, page_files
from keras_explainable.report.explanation_records import Noise, Prediction, SweepGrid
from keras_explainable.report.report_writer import Report

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(browser):
    """Open a page; fail on any other request and on any console message."""
    contexts, messages, requests = [], [], []

    def open_(path, **settings):
        page = new_page(browser, contexts, messages, **settings)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert messages == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}
    pages = sum("index.html" in url for url in requests)
    assert pages == len(contexts)
    others = [url for url in requests if url.startswith("file")]
    ours = re.compile(r"\.html(#.*)?$|/pictures/|/search\.js$")
    assert all(map(ours.search, others))


@pytest.fixture
def written(tmp_path, run, explanation):
    """Write a report of some explanations; return its page."""

    def write(*pictures, methods=("smoothgrad",)):
        with Report(tmp_path, dataclasses.replace(run, methods=methods)) as report:
            for made in pictures:
                report.add(report.key(made.name), made)
        return report.page

    return write


@pytest.fixture
def three(written, explanation):
    def one(name, label, score, error):
        found = (Prediction(0, label, score),)
        noise = Noise(30.0, 7, 50, (error,), 0.0, 0.15)
        return explanation(name, explained=found, predictions=found, noise=noise)

    return written(
        one("b10.png", "lynx", 0.5, 0.3),
        one("a.png", "tabby", 0.9, 0.1),
        one("b9.png", "tiger cat", 0.7, None),
    )


def names(page):
    # Not the inner text, which is empty for cards that are not rendered yet.
    return page.locator("article:visible h2").all_text_contents()


def pixels(locator):
    shot = Image.open(io.BytesIO(locator.screenshot()))
    return np.asarray(shot.convert("RGB")).astype(int)


def test_search_by_name_and_class(three, opened):
    page = opened(three)
    assert names(page) == ["b10.png", "a.png", "b9.png"]
    page.fill("#find", "B")
    assert names(page) == ["b10.png", "a.png", "b9.png"]  # "tabby" has one, too.
    page.fill("#find", "cat b9")
    assert names(page) == ["b9.png"]
    assert page.inner_text("#count") == "1 of 3"
    page.fill("#find", "nothing like it")
    assert names(page) == []
    page.fill("#find", "")
    assert page.inner_text("#count") == "3 of 3"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("name", ["a.png", "b9.png", "b10.png"]),
        ("highest", ["a.png", "b9.png", "b10.png"]),
        ("lowest", ["b10.png", "b9.png", "a.png"]),
        ("error", ["b10.png", "a.png", "b9.png"]),
        ("given", ["b10.png", "a.png", "b9.png"]),
    ],
)
def test_sorting(three, opened, order, expected):
    page = opened(three)
    page.select_option("#sort", "name")
    page.select_option("#sort", order)
    assert names(page) == expected


def test_keys_move_the_focus(three, opened):
    page = opened(three)
    focused = "document.activeElement.id"
    for key, expected in (("j", "b10"), ("j", "a"), ("j", "b9"), ("j", "b9")):
        page.keyboard.press(key)
        assert page.evaluate(focused) == expected
    page.keyboard.press("k")
    assert page.evaluate(focused) == "a"
    page.keyboard.press("/")
    assert page.evaluate(focused) == "find"
    page.keyboard.type("jk/")
    assert page.input_value("#find") == "jk/"
    page.keyboard.press("Escape")
    assert page.evaluate(focused) != "find"


@pytest.mark.parametrize("name", ["inferno", "viridis", "cividis", "grey"])
def test_maps_have_the_chosen_colours(written, explanation, opened, name):
    maps = np.linspace(0, 1, 8, dtype="float32").reshape(2, 4)
    page = opened(written(explanation(size=(2, 4), maps=maps[..., None])))
    page.select_option("#colors", name)
    shown = pixels(page.locator(".map [role=img]"))
    high, wide = shown.shape[:2]
    cells = shown[high // 4 :: high // 2, wide // 8 :: wide // 4][:2, :4]
    cmap = {"grey": "gray"}.get(name, name)
    clipped = np.minimum(maps / np.percentile(maps, 99), 1)
    np.testing.assert_allclose(cells, colormaps.colorize(clipped, cmap), atol=9)


@pytest.mark.parametrize("cropped", [True, False])
def test_maps_lie_where_the_network_saw_the_picture(
    written, explanation, opened, cropped
):
    """A network saw the middle of a picture, or all of it with padding beside it."""
    maps = np.zeros((4, 4, 1), "float32")
    maps[1, 2] = 1
    picture = np.full((40, 80 if cropped else 20, 3), 120, "uint8")
    seen = SeenPart(0.25, 0, 0.75, 1) if cropped else SeenPart(-0.5, 0, 1.5, 1)
    made = explanation(size=(4, 4), maps=maps, picture=picture, seen=seen)
    page = opened(written(made))
    shown = pixels(page.locator(".map [role=img]"))
    high, wide = shown.shape[:2]
    yellow = (shown[..., 0] > 200) & (shown[..., 2] < 200)  # Not the page's white.
    rows, columns = np.nonzero(yellow)
    place = 0.25 + 0.5 * 2.5 / 4 if cropped else -0.5 + 2 * 2.5 / 4
    centre = rows.mean() / high, columns.mean() / wide
    np.testing.assert_allclose(centre, (1.5 / 4, place), atol=0.03)
    image = pixels(page.locator(".image [role=img]"))
    outside, inside = image[high // 2, wide // 10], image[high // 2, wide // 2]
    np.testing.assert_allclose(inside, 120, atol=2)
    np.testing.assert_allclose(outside, 42 if cropped else 120, atol=3)
    if cropped:
        np.testing.assert_allclose(shown[high // 2, wide // 10], 128, atol=2)


def test_signed_maps_can_be_shown_as_magnitudes(written, explanation, opened):
    maps = np.array([[-1, -1, 0, 0, 1, 1]] * 4, "float32")[..., None]
    page = opened(written(explanation(maps=maps), methods=("occlusion",)))

    def columns():
        shown = pixels(page.locator(".map [role=img]"))
        return shown[shown.shape[0] // 2, shown.shape[1] // 6 :: shown.shape[1] // 3][
            :3
        ]

    against, none, for_ = columns()
    assert against[2] > against[0] + 50  # blue
    assert for_[0] > for_[2] + 50  # red
    assert np.ptp(none) < 12
    page.select_option("#signs", "absolute")
    against, none, for_ = columns()
    np.testing.assert_allclose(against, for_, atol=6)
    assert none.max() < 20


def test_the_slider_sets_the_opacity_of_the_overlay(written, explanation, opened):
    made = explanation()
    page = opened(written(made))
    overlay = page.locator(".overlay [role=img]")
    page.locator("#cover").fill("0")
    shown = pixels(overlay)
    inside = shown[20:-20, 20:-20]  # The corners are rounded.
    assert np.abs(inside - [200, 0, 0]).max() <= 3
    page.locator("#cover").fill("100")
    covered = pixels(overlay)
    high, wide = covered.shape[:2]
    bright = covered[int(high * 1.5 / 4), int(wide * 2.5 / 6)]
    np.testing.assert_allclose(bright, colormaps.colorize([[0.0, 1.0]])[0, 1], atol=9)
    assert covered[high // 10, wide // 10].sum() < 200  # dimmed


def test_without_scripts_all_images_are_shown(three, opened):
    page = opened(three, java_script_enabled=False)
    assert names(page) == ["b10.png", "a.png", "b9.png"]
    assert not page.locator("#tools").is_visible()
    shown = pixels(page.locator(".map [role=img]").first)
    assert shown.max() > 200 > 20 > shown.min()


def right_edge(located):
    box = located.bounding_box()
    return box["x"] + box["width"]


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_the_page_fits_the_window(written, explanation, opened, width):
    methods = ("smoothgrad", "gradcam", "rise")
    made = explanation("x" * 99 + ".png", ("a" * 99, "b"), methods=methods)
    page = opened(written(made), viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    card = page.locator("article").first
    columns = map(right_edge, card.locator(".figures > *").all())
    assert max(columns) <= right_edge(card) + 0.5
    for control in page.locator("#tools :is(input, select)").all():
        assert right_edge(control) <= width


def test_controls_and_pictures_have_names_for_screen_readers(three, opened):
    page = opened(three)
    for name in ("Find", "Sort", "Colours"):
        assert page.get_by_label(name, exact=True).is_visible()
    assert page.get_by_role("slider", name="Overlay").is_visible()
    found = page.get_by_role("img", name="SmoothGrad map of a.png for tabby")
    assert found.count() == 1


def test_pictures_beside_the_page_are_shown(written, explanation, opened, monkeypatch):
    monkeypatch.setattr(page_files, "MOST_WITHIN", 1)
    page = opened(written(explanation("a b.png"), explanation("ü.png")))
    for number in (0, 1):
        image = pixels(page.locator(".image [role=img]").nth(number))
        np.testing.assert_allclose(image[20:-20, 20:-20].mean((0, 1)), [200, 0, 0])
        assert pixels(page.locator(".map [role=img]").nth(number)).max() > 200


def test_a_search_leads_to_matches_on_other_pages(
    written, explanation, opened, monkeypatch
):
    monkeypatch.setattr(page_files, "MOST_WITHIN", 1)
    monkeypatch.setattr(page_files, "_PAGE_BYTES", 1)  # An image on each page.
    images = ("a.png", "tabby"), ('<b>&"+%.png', "Ä class"), ("c.png", "tabby")
    page = opened(written(*(explanation(name, (class_,)) for name, class_ in images)))
    assert not page.locator("#elsewhere").is_visible()
    page.fill("#find", "tabby")
    assert page.inner_text("#count") == "1 of 1 on this page"
    page.get_by_text("page 3 (1 image)").wait_for()
    assert page.locator("#elsewhere a").count() == 1
    page.fill("#find", '<b>&"+%.png ä')
    page.get_by_text("page 2 (1 image)").click()
    page.wait_for_url("**/index-2.html#*")
    assert names(page) == ['<b>&"+%.png']
    page.get_by_text("Not found on other pages").wait_for()


def swept_maps(kept):
    """Maps of a grid of two noise levels and three numbers of copies, each with a dot.

    The dot of the map in row r and column c is in row r and column 2 c.
    """

    def one(row, column):
        values = np.zeros((4, 6, 1), "float32")
        values[row, 2 * column] = 1
        level, count = (0.05, 0.15)[row], (2, 10, 50)[column]
        noise = Noise(9.0, 7, count, (0.1 * (row + column + 1),), 0, level)
        return dataclasses.replace(kept, values=values, noise=noise)

    grid = tuple(tuple(one(row, column) for column in range(3)) for row in range(2))
    return dataclasses.replace(grid[1][2], sweep=grid)


@pytest.mark.parametrize("within", [True, False])
def test_two_sliders_choose_among_the_maps_of_a_sweep(
    tmp_path, run, explanation, opened, monkeypatch, within
):
    monkeypatch.setattr(page_files, "MOST_SWEPT", 12 if within else 0)
    made = explanation()
    made = dataclasses.replace(made, maps=tuple(map(swept_maps, made.maps)))
    settings = dataclasses.replace(run, sweep=SweepGrid((0.05, 0.15), (2, 10, 50)))
    with Report(tmp_path, settings) as report:
        report.add(report.key(made.name), made)
    page = opened(report.page)

    def dot(figure):
        shown = pixels(page.locator(f".{figure} [role=img]")).sum(axis=-1)
        high, wide = shown.shape
        places = shown[high // 8 :: high // 4, wide // 12 :: wide // 6][:4, :6]
        return [int(n) for n in np.unravel_index(places.argmax(), places.shape)]

    assert dot("map") == dot("overlay") == [1, 4]  # The settings of the run.
    page.get_by_role("slider", name="Noise level").fill("0")
    page.get_by_role("slider", name="Noisy copies").fill("1")
    assert dot("map") == dot("overlay") == [0, 2]
    texts = page.locator(".noise dd").all_inner_texts()
    assert (texts[0], texts[2], texts[4]) == ("0.05", "10", "0.2")
    assert page.inner_text("output[for=row]") == "5 %"
    assert page.inner_text("output[for=column]") == "10"


@pytest.fixture
def many(tmp_path, run, explanation, rng):
    """A page of 500 photos of the largest size, each with a map of noise."""
    with Report(tmp_path, run) as report:
        pass
    image = rng.integers(0, 256, (224, 224, 3), "uint8")
    maps = rng.random((224, 224, 1), "float32")
    one = image_card.card(explanation("NAME", maps=maps, image=image), "NAME")
    text = report.page.read_text(encoding="utf-8")
    made = (
        one.replace("NAME", f"{number}.png").replace('"0.75"', f'"{number / 500}"')
        for number in range(500)
    )
    report.page.write_text(text.replace("<main>", f"<main>{''.join(made)}"))
    return report.page


def test_cards_off_the_screen_are_not_rendered(many, opened):
    """So that the page stays responsive, as report_page_latency.py measures."""
    page = opened(many)
    drawn = """async () => {
        const frame = () => new Promise(requestAnimationFrame);
        await frame();  // Nothing is rendered before the first one.
        await frame();
        return [...document.querySelectorAll("article h2")]
            .filter((head) => head.checkVisibility({ contentVisibilityAuto: true }))
            .length;
    }"""
    assert page.locator("article").count() == 500
    assert 1 <= page.evaluate(drawn) < 20
    page.fill("#find", "49")
    assert page.inner_text("#count") == "15 of 500"
    page.fill("#find", "")
    page.select_option("#sort", "highest")
    assert page.locator("article h2").first.text_content() == "499.png"
    assert page.evaluate(drawn) < 20
