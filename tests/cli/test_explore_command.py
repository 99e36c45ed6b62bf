"""The command that starts the explorer, in a process of its own."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
import zlib

import numpy as np
import pytest

from keras_explainable.cli import explorer_input, read_images

START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from keras_explainable.cli import main
main()
"""


@pytest.fixture
def started(here):
    """Start the command; return its lines up to the address, and the process."""
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", START, "explore", "--no-browser", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        lines = []
        for line in process.stderr:
            lines.append(line.strip())
            if "explorer is at" in line:
                return lines, process
        raise AssertionError(lines)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_another_port_is_taken_and_ctrl_c_ends_it(started, model_file, picture):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        picture("<i>a.png")
        given = "<i>a.png", "--model", model_file, "--port", port
        lines, process = started(*given)
    assert f"Port {port} is in use; port" in lines[-2]
    address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", lines[-1])[0]
    assert f":{port}/" not in address
    with urllib.request.urlopen(address) as answer:
        assert b"Explorer" in answer.read()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def bomb():
    """Return a PNG of a few bytes that says it has 10 gigapixels."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + zlib.crc32(body).to_bytes(4)

    size = struct.pack(">IIBBBBB", 100_000, 100_000, 1, 0, 0, 0, 0)
    parts = (
        chunk(b"IHDR", size),
        chunk(b"IDAT", zlib.compress(b"")),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_dropped_files_are_read_as_those_of_the_command(here, model_file, picture):
    content = (here / picture("a.png", size=(90, 50))).read_bytes()
    album = explorer_input.album_of([here / "a.png"], model_file, "unit")
    given, dropped = album.image(0), album.image(album.add("../b.png", content))
    np.testing.assert_array_equal(given.pixels, read_images.read("a.png", (12, 12)))
    np.testing.assert_array_equal(dropped.pixels, given.pixels)
    np.testing.assert_allclose(dropped.inputs[0], given.pixels / 255, rtol=1e-6)
    assert dropped.id == given.id == zlib.crc32(given.pixels.tobytes())
    assert dropped.shown.shape == (50, 50, 3)
    assert album.names[1] == "b.png"
    for hostile, reason in ((bomb(), "more pixels"), (b"%!PS-Adobe EPSF", "no")):
        with pytest.raises(ValueError, match=f"b.png .*{reason}"):
            album.add("b.png", hostile)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png"], "missing.png does not exist"),
        (["--model", "nothing"], "Unknown model nothing"),
        (["--resize", "shrink"], "--resize must be one of"),
        (["--port", "70000"], "--port must be from 0 to 65535; received 70000."),
    ],
)
def test_wrong_usage_is_said(command, here, arguments, message):
    code, _, errors = command("explore", "--no-browser", *arguments)
    assert code == 2
    assert message in " ".join(errors.split())


def test_a_token_that_is_too_short_is_refused(command, here, model_file, monkeypatch):
    monkeypatch.setitem(os.environ, "KERAS_EXPLAINABLE_TOKEN", "short")
    code, _, errors = command("explore", "--no-browser", "--model", model_file)
    assert code == 2
    assert "16 letters" in " ".join(errors.split())
    assert "short" not in errors
