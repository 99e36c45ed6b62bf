"""What tests of pictures share: figures that are recorded, and cleared away."""

import io

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from matplotlib import pyplot as plt

from keras_explainable import utils


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
