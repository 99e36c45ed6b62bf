import warnings

import pytest
import typer

from keras_explainable.cli import console

KEPT = "; completed images are kept for --resume."


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ValueError("`x` must be good"), 2, "`x` must be good"),
        (ImportError("install it"), 2, "install it"),
        (OSError(28, "No space left"), 1, f"[Errno 28] No space left{KEPT}"),
        (MemoryError(), 1, f"Out of memory{KEPT}"),
        (MemoryError("no room\nfor 9 GB"), 1, f"no room for 9 GB{KEPT}"),
    ],
)
def test_errors_become_one_sentence_and_an_exit_code(error, code, message, capsys):
    with pytest.raises(typer.Exit) as caught, console.exit_on_error():
        raise error
    assert caught.value.exit_code == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"Error: {message}\n")


def test_an_interruption_before_the_first_image(capsys):
    with pytest.raises(typer.Exit) as caught, console.exit_on_error():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert capsys.readouterr().err == "Interrupted before the first image.\n"


def test_unexpected_errors_are_not_hidden():
    with pytest.raises(KeyError), console.exit_on_error():
        raise KeyError("bug")


def test_a_warning_is_printed_once(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with console.exit_on_error():
            for number in range(3):
                warnings.warn(f"little noise: {number}", stacklevel=1)
            warnings.warn("not for users", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "Note: little noise: 0\n"


def test_markup_is_printed_as_text(capsys):
    console.print_message("[red]cat[/red] :smile: [/]")
    assert capsys.readouterr().err == "[red]cat[/red] :smile: [/]\n"


def test_lines_are_not_broken(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    console.print_message("a sentence that is longer than the terminal is wide")
    assert capsys.readouterr().err.count("\n") == 1
