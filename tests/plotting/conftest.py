"""Fixtures that record figures and check that none is left open."""

import io

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from matplotlib import pyplot as plt

from keras_explainable import utils
from keras_explainable.plotting import picture_output


@pytest.fixture(autouse=True)
def unchanged_pyplot():
    """Check that a test leaves pyplot's figures, settings and backend unchanged."""
    plt.switch_backend("agg")
    before = plt.get_fignums(), dict(matplotlib.rcParams), matplotlib.get_backend()
    yield
    after = plt.get_fignums(), dict(matplotlib.rcParams), matplotlib.get_backend()
    assert before == after
    plt.close("all")


@pytest.fixture
def drawn(monkeypatch):
    """The figures in the order in which they were written."""
    figures = []
    write = matplotlib.figure.Figure.savefig

    def savefig(figure, *args, **kwargs):
        figures.append(figure)
        write(figure, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", savefig)
    return figures


@pytest.fixture
def figure(drawn):
    """A function that draws a picture and returns its figure."""

    def visualized(*args, **kwargs):
        utils.visualize(*args, to_buffer=io.BytesIO(), **kwargs)
        drawn[-1].set_dpi(picture_output.DPI)  # As it was written.
        return drawn[-1]

    return visualized


@pytest.fixture
def panels(drawn):
    """A function that draws a picture and returns the pixels of its panels."""

    def visualized(*args, **kwargs):
        utils.visualize(*args, to_buffer=io.BytesIO(), **kwargs)
        return [np.asarray(axes.images[0].get_array()) for axes in drawn[-1].axes]

    return visualized
