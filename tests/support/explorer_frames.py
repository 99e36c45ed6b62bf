"""Messages of the explorer, as its pages read them."""

import json

import numpy as np


def decoded(frame):
    """Return a message with its bytes, and with its map if it has one."""
    end = 4 + int.from_bytes(frame[:4], "little")
    message = json.loads(frame[4:end]) | {"content": frame[end:]}
    if message["kind"] == "map":
        message["map"] = np.frombuffer(frame[end:], "<f4").reshape(message["shape"])
    return message
