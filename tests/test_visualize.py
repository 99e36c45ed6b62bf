"""``ke.utils.visualize``: the panels it draws, and what it leaves alone."""

import io
import subprocess
import sys
import types
import warnings

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from keras import ops
from matplotlib import pyplot as plt
from PIL import Image

from keras_explainable import colors, filters, utils

RNG = np.random.default_rng(5)
PHOTOS = RNG.integers(0, 256, (4, 12, 10, 3), "uint8")
MAPS = RNG.random((4, 12, 10, 1), "float32")


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """pyplot's figures, settings and backend are the same after every test."""
    plt.switch_backend("agg")
    before = plt.get_fignums(), dict(matplotlib.rcParams), matplotlib.get_backend()
    yield
    after = plt.get_fignums(), dict(matplotlib.rcParams), matplotlib.get_backend()
    assert before == after
    plt.close("all")


@pytest.fixture
def drawn(monkeypatch):
    """Figures in the order they were written."""
    figures = []
    write = matplotlib.figure.Figure.savefig

    def savefig(figure, *args, **kwargs):
        figures.append(figure)
        write(figure, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", savefig)
    return figures


@pytest.fixture
def panels(drawn):
    """Pixels of each panel of a picture."""

    def visualized(*args, **kwargs):
        utils.visualize(*args, to_buffer=io.BytesIO(), **kwargs)
        return [np.asarray(axes.images[0].get_array()) for axes in drawn[-1].axes]

    return visualized


def columns(figure):
    return len({round(axes.get_position().x0, 3) for axes in figure.axes})


def photo_like(*shape):
    """Floats in 0..1 that are no 8-bit values."""
    return 0.1 + 0.8 * RNG.random(shape)


# What is drawn


def test_the_seed_page(panels, drawn):
    smoothed = filters.absolute_normalize(MAPS)
    smoothed = ops.convert_to_numpy(smoothed)
    pixels = panels([*PHOTOS, *MAPS, *smoothed])
    assert len(pixels) == 12
    assert columns(drawn[-1]) == 4
    for image, shown in zip(PHOTOS, pixels[:4], strict=True):
        np.testing.assert_array_equal(shown, image)
    for map_, shown in zip([*MAPS, *smoothed], pixels[4:], strict=True):
        np.testing.assert_array_equal(shown, colors.colorize(map_))


def test_all_kinds_in_one_list(panels):
    items = [
        PHOTOS[0],
        PHOTOS[0] / 255,
        PHOTOS[0].astype("float32"),
        Image.fromarray(PHOTOS[0]),
        ops.convert_to_tensor(PHOTOS[0]),
        photo_like(12, 10, 3),
        MAPS[0],
        MAPS[0, ..., 0],
        ops.convert_to_tensor(MAPS[0]),
    ]
    pixels = panels(items)
    assert len(pixels) == 9
    for shown in pixels[:5]:
        np.testing.assert_array_equal(shown, PHOTOS[0])
    np.testing.assert_array_equal(pixels[5], colors.to_rgb(items[5]))
    for shown in pixels[6:]:
        np.testing.assert_array_equal(shown, colors.colorize(MAPS[0]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_8_bit_photos_as_floats_are_images(panels, dtype):
    image = PHOTOS[0].copy()
    image[0, 0], image[0, 1] = 0, 255  # Each channel reaches 0 and 1, as maps do.
    (shown,) = panels([(image / 255).astype(dtype)])
    np.testing.assert_array_equal(shown, image)


@pytest.mark.parametrize("units", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: filters.normalize(x),
        lambda x: filters.percentile_normalize(x),
        lambda x: filters.normalize(x * (np.arange(x.shape[-1]) > 0)),
        lambda x: x / 20,
        lambda x: x - 0.5,
        lambda x: x * 40,
        lambda x: filters.absolute_normalize(ops.cast(x, "float16")),
    ],
    ids=["normalized", "percentile", "constant", "raw", "signed", "large", "half"],
)
def test_units_are_panels_never_rgb(panels, units, make):
    maps = ops.convert_to_numpy(make(RNG.random((1, 12, 10, units), "float32")))[0]
    pixels = panels([PHOTOS[0], maps])
    assert len(pixels) == 1 + units
    for unit, shown in enumerate(pixels[1:]):
        np.testing.assert_array_equal(shown, colors.colorize(maps[..., unit]))


def test_maps_says_what_values_do_not(panels):
    three = photo_like(12, 10, 3)
    assert len(panels([three])) == 1
    assert len(panels([three], maps=True)) == 3
    assert len(panels([PHOTOS[0], three], maps=True)) == 4
    normalized = ops.convert_to_numpy(filters.normalize(three))
    assert len(panels([normalized])) == 3
    assert len(panels([normalized], maps=False)) == 1


def test_single_images_and_maps(panels):
    assert len(panels(PHOTOS[0])) == 1
    assert len(panels(PHOTOS[0, ..., 0])) == 1
    assert len(panels(MAPS[0])) == 1
    assert len(panels(Image.fromarray(PHOTOS[0]))) == 1
    assert len(panels(ops.convert_to_tensor(MAPS[0, ..., 0]))) == 1


def test_batches_alone_in_lists_and_from_generators(panels):
    expected = panels([*PHOTOS, *MAPS])
    for images in ([PHOTOS, MAPS], (x for x in [*PHOTOS, *MAPS])):
        for one, other in zip(panels(images), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(panels(PHOTOS)) == 4
    assert len(panels(ops.convert_to_tensor(MAPS))) == 4
    assert len(panels(RNG.random((2, 6, 6, 4)))) == 8


def test_grey_8_bit_images_are_no_maps(panels):
    (shown,) = panels([PHOTOS[0, ..., :1]])
    assert (shown == PHOTOS[0, ..., :1]).all()


def test_color_maps_may_be_chosen(panels):
    _, shown = panels([PHOTOS[0], MAPS[0]], cmap="gray")
    np.testing.assert_array_equal(shown, colors.colorize(MAPS[0], "gray"))
    (shown,) = panels([PHOTOS[0]], overlays=[MAPS[0]], overlay_cmap="gray")
    np.testing.assert_array_equal(
        shown, colors.overlay(PHOTOS[0], MAPS[0], 0.75, "gray")
    )


def test_overlays(panels):
    pixels = panels(PHOTOS, overlays=MAPS, overlay_alpha=0.3)
    for image, map_, shown in zip(PHOTOS, MAPS, pixels, strict=True):
        np.testing.assert_array_equal(shown, colors.overlay(image, map_, 0.3))


def test_overlays_of_some_images_and_of_several_units(panels):
    units = RNG.random((6, 5, 2))
    pixels = panels([*PHOTOS[:2], PHOTOS[2] / 255], overlays=[None, units, MAPS[2]])
    assert len(pixels) == 4
    np.testing.assert_array_equal(pixels[0], PHOTOS[0])
    for unit, shown in enumerate(pixels[1:3]):
        np.testing.assert_array_equal(
            shown, colors.overlay(PHOTOS[1], units[..., unit])
        )
    np.testing.assert_array_equal(pixels[3], colors.overlay(PHOTOS[2], MAPS[2]))


def test_one_overlay_for_one_image(panels):
    (shown,) = panels(PHOTOS[0], overlays=MAPS[0])
    np.testing.assert_array_equal(shown, colors.overlay(PHOTOS[0], MAPS[0]))


def test_titles_are_shown_as_they_are(panels, drawn):
    titles = ["$x_1$ & y", "100 %", "<b>", ""]
    panels(PHOTOS, titles=titles)
    assert [axes.get_title() for axes in drawn[-1].axes] == titles
    panels(PHOTOS[0], titles="one")
    assert drawn[-1].axes[0].get_title() == "one"


def test_title_fontsize(panels, drawn):
    panels(PHOTOS[0], titles=["one"], title_fontsize=17)
    assert drawn[-1].axes[0].title.get_fontsize() == 17


def test_axes_have_no_ticks_and_panels_keep_their_shape(panels, drawn):
    panels([PHOTOS[0], RNG.random((5, 40))], figsize=(7, 2))
    for axes in drawn[-1].axes:
        assert not axes.axison
        assert axes.get_aspect() == 1


def test_rows_and_cols_are_honoured(panels, drawn):
    for rows, cols, expected in [(1, None, 8), (None, 3, 3), (2, 4, 4), (8, 1, 1)]:
        panels([*PHOTOS, *MAPS], rows=rows, cols=cols)
        assert columns(drawn[-1]) == expected


# Where it goes


def size_of(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.format, image.size


def test_to_buffer_and_to_file_hold_the_same_picture(tmp_path):
    buffer, path = io.BytesIO(), tmp_path / "maps.png"
    assert utils.visualize(PHOTOS, to_buffer=buffer, to_file=path) is None
    assert size_of(buffer.getvalue()) == size_of(path.read_bytes())
    assert size_of(path.read_bytes())[0] == "PNG"


def test_figsize_is_that_of_the_picture():
    buffer = io.BytesIO()
    utils.visualize(PHOTOS, figsize=(4, 3), to_buffer=buffer)
    assert size_of(buffer.getvalue()) == ("PNG", (600, 450))


@pytest.mark.parametrize(
    ("name", "start"), [("a.pdf", b"%PDF"), ("a.svg", b"<?xml"), ("a", b"\x89PNG")]
)
def test_the_suffix_decides_the_kind_of_file(tmp_path, name, start):
    utils.visualize(PHOTOS[0], to_file=str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes().startswith(start)


def test_the_picture_shows_every_pixel_on_white():
    image = np.zeros((20, 20, 3), "uint8")
    image[:, 10:] = (255, 0, 0)
    buffer = io.BytesIO()
    with plt.style.context("dark_background"):
        utils.visualize(image, titles=["title"], to_buffer=buffer)
    picture = np.asarray(Image.open(buffer).convert("RGB")).astype(int)
    assert (picture[0] == 255).all()
    red = (picture == [255, 0, 0]).all(-1)
    black = (picture == 0).all(-1)
    assert red.sum() > 0.4 * picture[..., 0].size
    rows = np.flatnonzero(red.any(1))
    assert np.array_equal(rows, np.flatnonzero(red.any(1) & black.any(1)))
    assert (picture[: rows[0]] < 100).any()  # A dark title above.


def test_titles_are_not_cropped():
    """Ink of a three-line title stays off the rim, and above its panel."""
    title = "a rather long title that takes more than the width of a panel, twice over"
    buffer = io.BytesIO()
    white = np.full((30, 30, 3), 255, "uint8")
    utils.visualize([white] * 4, titles=[title] * 4, to_buffer=buffer)
    picture = np.asarray(Image.open(buffer).convert("L"))
    ink = picture < 128
    assert ink.any()
    for rim in (ink[:3], ink[-3:], ink[:, :3], ink[:, -3:]):
        assert not rim.any()


def test_the_state_of_pyplot_is_left_alone(tmp_path):
    figure = plt.figure()
    axes = figure.add_subplot()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        utils.visualize(PHOTOS, to_file=tmp_path / "a.png")
        utils.visualize(PHOTOS)
    assert plt.gcf() is figure
    assert plt.gca() is axes
    assert plt.get_fignums() == [figure.number]
    plt.close(figure)


@pytest.mark.parametrize("key", ["figure.autolayout", "figure.constrained_layout.use"])
def test_layouts_of_the_users_settings_do_not_interfere(key):
    buffer, plain = io.BytesIO(), io.BytesIO()
    utils.visualize(PHOTOS, to_buffer=plain)
    with matplotlib.rc_context({key: True}):
        utils.visualize(PHOTOS, to_buffer=buffer)
    assert buffer.getvalue() == plain.getvalue()


def test_no_figure_is_left_when_drawing_fails(monkeypatch):
    def broken(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(utils, "_draw_panel", broken)
    with pytest.raises(RuntimeError, match="broken"):
        utils.visualize(PHOTOS)
    assert plt.get_fignums() == []


def test_writing_makes_no_use_of_pyplot(monkeypatch, tmp_path):
    def refused(*args, **kwargs):
        raise AssertionError("pyplot was used")

    for name in ("figure", "show", "switch_backend", "new_figure_manager", "close"):
        with monkeypatch.context() as patch:
            patch.setattr(plt, name, refused)
            utils.visualize(PHOTOS, to_file=tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


# Showing


def test_a_script_without_a_display_says_nothing(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert utils.visualize(PHOTOS) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("interactive", [False, True])
def test_a_script_shows_one_window(monkeypatch, interactive):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    monkeypatch.setattr(plt, "isinteractive", lambda: interactive)
    monkeypatch.setattr(utils, "_has_windows", lambda figure: True)
    utils.visualize(PHOTOS)
    assert shown == [[1]]
    # ``plt.ion()``: the window is still open, and would close with its figure.
    assert plt.get_fignums() == ([1] if interactive else [])
    plt.close("all")


def test_an_interactive_session_without_windows_keeps_no_figure(monkeypatch):
    monkeypatch.setattr(plt, "isinteractive", lambda: True)
    utils.visualize(PHOTOS)
    assert plt.get_fignums() == []


def fake_ipython(monkeypatch, shell):
    """IPython, as far as ``visualize`` uses it; returns what is displayed."""
    outputs = []
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    display = types.SimpleNamespace(
        display=outputs.append,
        Image=lambda data, width: types.SimpleNamespace(data=data, width=width),
    )
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return outputs


def test_a_notebook_shows_once(monkeypatch):
    outputs = fake_ipython(monkeypatch, types.SimpleNamespace())
    assert utils.visualize(PHOTOS) is None
    (image,) = outputs
    kind, (width, _) = size_of(image.data)
    assert kind == "PNG"
    assert image.width < width


def test_a_notebook_shows_nothing_that_is_written(monkeypatch):
    outputs = fake_ipython(monkeypatch, types.SimpleNamespace())
    utils.visualize(PHOTOS, to_buffer=io.BytesIO())
    assert not outputs


def test_ipython_in_a_terminal_opens_a_window(monkeypatch):
    class TerminalInteractiveShell:
        pass

    outputs = fake_ipython(monkeypatch, TerminalInteractiveShell())
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    utils.visualize(PHOTOS)
    assert shown == [1]
    assert not outputs


REAL_CELLS = """
import matplotlib
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
draw = "import numpy as np, keras_explainable as ke; "
draw += "ke.utils.visualize([np.zeros((4, 4))])"
for backend in ("agg", "module://matplotlib_inline.backend_inline"):
    matplotlib.use(backend)
    for cell in (draw, draw + "\\n1"):
        with capture_output() as captured:
            shell.run_cell(cell).raise_error()
            shell.events.trigger("post_execute")
        pictures = [out for out in captured.outputs if "image/png" in out.data]
        assert len(pictures) == 1, (backend, cell, captured.outputs, captured.stdout)
"""


def test_a_real_cell_shows_once(monkeypatch, tmp_path):
    """At the end of a cell and within it; with ``%matplotlib inline`` and without."""
    pytest.importorskip("IPython")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", REAL_CELLS], check=True)


# Bad input


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 4, 4, 3))])
def test_nothing_to_draw_is_refused(nothing):
    with pytest.raises(ValueError, match="`images` must hold at least one"):
        utils.visualize(nothing)


@pytest.mark.parametrize("shape", [(), (4,), (1, 2, 3, 4, 5), (0, 4, 3)])
def test_shapes_that_are_no_image_are_refused(shape):
    with pytest.raises(ValueError, match=r"`images` must be .*; received shape"):
        utils.visualize([np.zeros(shape)])


@pytest.mark.parametrize("item", ["photo.png", None, [["a", "b"]]])
def test_what_is_no_array_is_refused(item):
    with pytest.raises(TypeError, match="must be real numbers; received"):
        utils.visualize([item])


def test_titles_of_columns(panels, drawn):
    panels(PHOTOS, titles=["left", "right"], cols=2)
    titles = [axes.get_title() for axes in drawn[-1].axes]
    assert titles == ["left", "right", "", ""]


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_or_too_many_titles_are_refused(count):
    message = f"`titles` must be as many as the panels, 4, or .* received {count}"
    with pytest.raises(ValueError, match=message):
        utils.visualize(PHOTOS, titles=["a"] * count)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_or_too_many_overlays_are_refused(count):
    message = f"`overlays` must be as many as `images`, 4; received {count}"
    with pytest.raises(ValueError, match=message):
        utils.visualize(PHOTOS, overlays=[MAPS[0]] * count)


def test_grids_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="must hold 4 panels; received 1 x 3"):
        utils.visualize(PHOTOS, rows=1, cols=3)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "nosuch" / "a.png"
    with pytest.raises(
        FileNotFoundError, match=r"`to_file` must be in a folder .*nosuch"
    ):
        utils.visualize(PHOTOS, to_file=path)
    assert not path.parent.exists()


def test_a_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "keras-explainable\[plot\]"'):
        utils.visualize(PHOTOS)
