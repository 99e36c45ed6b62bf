import io

from rich.console import Console

from keras_explainable.cli.live_progress import LiveProgress


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=80)


def test_on_a_terminal_a_bar_moves_within_a_batch():
    screen = console(terminal=True)
    with LiveProgress(screen, images=4) as progress:
        progress.start_step(2)
        progress.on_explain_progress(25, 100)
        progress._bar.refresh()
        assert "12%" in screen.file.getvalue()
        progress.finish(2)
        progress.on_explain_progress(30, 60)
        progress._bar.refresh()
    text = screen.file.getvalue()
    assert "3/4" in text
    assert "75%" in text


def test_several_methods_share_the_time_of_a_batch():
    screen = console(terminal=True)
    with LiveProgress(screen, images=4) as progress:
        progress.start_step(4, 1, 2)
        progress.on_explain_progress(1, 2)
        progress._bar.refresh()
        assert "75%" in screen.file.getvalue()


def test_in_a_log_a_short_line_at_most_for_each_tenth():
    log = console(terminal=False)
    with LiveProgress(log, images=95) as progress:
        progress.on_explain_progress(1, None)
        for _ in range(95):
            progress.finish(1)
    lines = log.file.getvalue().splitlines()
    assert 5 <= len(lines) <= 10
    assert lines[-1] == "95 of 95 images"


def test_images_that_fail_count_as_finished():
    log = console(terminal=False)
    with LiveProgress(log, images=2) as progress:
        progress.finish(0)
        progress.finish(2)
    assert log.file.getvalue() == "2 of 2 images\n"
