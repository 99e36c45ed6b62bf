"""``ke.utils.visualize`` in scripts, windows and notebooks."""

import io
import subprocess
import sys
import types
import warnings

import pytest
from matplotlib import pyplot as plt
from support.example_images import PHOTOS, size_of

from keras_explainable import utils
from keras_explainable.plotting import picture_output


def test_a_script_without_a_display_prints_nothing(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert utils.visualize(PHOTOS) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("interactive", [False, True])
def test_a_script_shows_one_window(monkeypatch, interactive):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    monkeypatch.setattr(plt, "isinteractive", lambda: interactive)
    monkeypatch.setattr(picture_output, "_has_windows", lambda figure: True)
    utils.visualize(PHOTOS)
    assert shown == [[1]]
    # In interactive mode the window is still open, and would close with its figure.
    assert plt.get_fignums() == ([1] if interactive else [])
    plt.close("all")


def test_an_interactive_session_without_windows_keeps_no_figure(monkeypatch):
    monkeypatch.setattr(plt, "isinteractive", lambda: True)
    utils.visualize(PHOTOS)
    assert plt.get_fignums() == []


def fake_ipython(monkeypatch, shell):
    """Replace the parts of IPython that ``visualize`` uses; return what it displays."""
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
    """At the end of a cell and inside it, with and without ``%matplotlib inline``."""
    pytest.importorskip("IPython")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", REAL_CELLS], check=True)
