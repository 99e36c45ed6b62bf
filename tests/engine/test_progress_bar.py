"""Progress: Keras' bar and callbacks, told of repetitions."""

import re
import sys

import IPython.display
import keras
import pytest
from support.small_models import images, linear, some_units

import keras_explainable as ke
from keras_explainable.engine import progress_line
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_predict_begin(self, logs=None):
        self.events.append("begin")

    def on_predict_batch_begin(self, batch, logs=None):
        self.events.append(f"batch {batch}")

    def on_predict_batch_end(self, batch, logs=None):
        logits, maps = logs["outputs"]
        self.events.append((batch, logits.shape, maps.shape))

    def on_predict_end(self, logs=None):
        self.events.append("end")

    def on_explain_progress(self, done, total):
        self.events.append((done, total))


def run(method=gradients, count=5, data=None, **params):
    recorder = Recorder()
    x, y = images(count), some_units(count)
    if data is not None:
        x, y = data(x, y), None
    params = {"batch_size": 3, "verbose": 0, **params}
    ke.explain(method, linear(), x, y, callbacks=[recorder], **params)
    return recorder


def test_keras_callbacks_see_batches():
    recorder = run()
    plain = [event for event in recorder.events if event not in [(3, 5), (5, 5)]]
    assert plain == [
        "begin",
        "batch 0",
        (0, (3, 2), (3, 4, 4, 2)),
        "batch 1",
        (1, (2, 2), (2, 4, 4, 2)),
        "end",
    ]
    assert recorder.params["steps"] == 2


def test_progress_counts_images_times_copies():
    events = run(smooth(gradients, 4, seed=0), batch_size=6).events
    rows = [event for event in events if isinstance(event, tuple) and len(event) == 2]
    assert rows[0] == (6, 20)
    assert rows[-1] == (20, 20)
    assert [done for done, _ in rows] == sorted(done for done, _ in rows)


def test_total_is_unknown_for_a_generator_until_its_end():
    def generator(x, y):
        yield x[:2], y[:2]
        yield x[2:], y[2:]

    events = run(smooth(gradients, 2, seed=0), data=generator).events
    rows = [event for event in events if isinstance(event, tuple) and len(event) == 2]
    assert {total for _, total in rows[:-1]} == {None}
    assert rows[-1] == (10, 10)


def test_silence(capsys):
    run(verbose=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verbose", ["auto", 1])
def test_the_bar_moves_within_a_batch(capsys, verbose, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    run(smooth(gradients, 40, seed=0), count=1, batch_size=8, verbose=verbose)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert re.search(r"0/1 ━+ .*/image - 8/40 copies", out)
    assert re.search(r"1/1 ━+ .*/image - 40 copies", out.rstrip().splitlines()[-1])


def test_without_copies_the_bar_counts_images_only(capsys):
    run(verbose=1)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "5/5 ━" in out
    assert "copies" not in out
    assert len(out.strip().splitlines()) == 1  # A file has no backspaces.
    assert "\b" not in out


def test_a_notebook_has_one_output_that_is_replaced(monkeypatch, capsys):
    shown, replaced = [], []

    class Output:
        def update(self, content, raw):
            replaced.append(content["text/plain"])

    def display(content, raw, display_id):
        shown.append(content["text/plain"])
        return Output()

    monkeypatch.setattr(progress_line, "_in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    run(smooth(gradients, 40, seed=0), count=1, batch_size=8, verbose=1)
    assert capsys.readouterr().out == ""
    assert len(shown) == 1
    assert "40 copies" in replaced[-1]
    assert not {"\b", "\r", "\n"} & {*"".join(shown + replaced)}


def test_one_line(capsys):
    run(smooth(gradients, 4, seed=0), verbose=2)
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 1
    assert re.match(r"5/5 - .*/image - 20 copies", lines[0])


def test_interruption_passes_through():
    class Interrupt(keras.callbacks.Callback):
        def on_explain_progress(self, done, total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ke.explain(
            smooth(gradients),
            linear(),
            images(),
            some_units(),
            callbacks=[Interrupt()],
            verbose=0,
        )
