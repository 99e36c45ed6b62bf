import warnings

import pytest
import typer

from keras_explainable.cli import console

KEPT = "; what is done is kept for --resume."


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValueError("`x` must be good"), 2, "`x` must be good"),
        (ImportError("install it"), 2, "install it"),
        (OSError(28, "No space left"), 1, f"[Errno 28] No space left{KEPT}"),
        (MemoryError(), 1, f"Out of memory{KEPT}"),
        (MemoryError("no room\nfor 9 GB"), 1, f"no room for 9 GB{KEPT}"),
    ],
)
def test_errors_become_one_sentence_and_an_exit_code(error, code, said, capsys):
    with pytest.raises(typer.Exit) as caught, console.briefly():
        raise error
    assert caught.value.exit_code == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"Error: {said}\n")


def test_an_early_interruption(capsys):
    with pytest.raises(typer.Exit) as caught, console.briefly():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert capsys.readouterr().err == "Interrupted before the first image.\n"


def test_mistakes_of_ours_are_not_hidden():
    with pytest.raises(KeyError), console.briefly():
        raise KeyError("bug")


def test_warnings_are_notes_said_once(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with console.briefly():
            for number in range(3):
                warnings.warn(f"little noise: {number}", stacklevel=1)
            warnings.warn("not for users", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "Note: little noise: 0\n"


def test_names_are_no_markup(capsys):
    console.say("[red]cat[/red] :smile: [/]")
    assert capsys.readouterr().err == "[red]cat[/red] :smile: [/]\n"


def test_lines_are_not_broken(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    console.say("a sentence that is longer than the terminal is wide")
    assert capsys.readouterr().err.count("\n") == 1
