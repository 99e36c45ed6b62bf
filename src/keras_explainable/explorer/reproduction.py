"""Python lines that compute the map of a page, and the file that they read."""

import io
from typing import Any

import keras
import numpy as np

from keras_explainable.explorer.estimates import Estimate
from keras_explainable.explorer.explored_model import ExploredImage
from keras_explainable.explorer.session import method_parameters
from keras_explainable.explorer.settings import Setting, View


def lines(
    model: str, image: ExploredImage, setting: Setting, view: View, repetitions: int
) -> str:
    """Return a program that sets ``map_`` to the map (H, W).

    Args:
        model: Python expression that loads the model.
        image: Image that was explained; its input is read from the archive.
        setting: What was computed.
        view: What is shown.
        repetitions: Number of repetitions so far.
    """
    backend = f'os.environ["KERAS_BACKEND"] = "{keras.backend.backend()}"'
    head = (
        f"import os\n\n{backend}  # Others draw other noise.\n\n"
        "import keras\nimport numpy as np\n\nimport keras_explainable as ke\n\n"
        f"model = {model}\n"
        'x = np.load("map.npz")["inputs"]  # As saved with the map.\n'
    )
    params = method_parameters(setting, image)
    if not setting.draws_noise:
        extra = "".join(f", {name}={value!r}" for name, value in params.items())
        call = f"ke.{setting.method}(model, x, [[{setting.unit}]]{extra})"
        return f"{head}_, maps = {call}\nmap_ = maps[0, ..., 0]\n"
    params = {"repetitions": repetitions, **params}
    if view.statistic != "mean":
        params["statistic"] = view.statistic
    given = "".join(f"    {name}={value!r},\n" for name, value in params.items())
    values = "stats.maps[0, ..., 0]"
    shown = values if view.signed else f"abs({values})"
    return (
        f"{head}_, _, stats = ke.smoothgrad(\n    model,\n    x,\n"
        f"    [[{setting.unit}]],\n{given}    return_stats=True,\n)\n"
        f"map_ = {shown}.mean(axis=-1)\n"
    )


def archive(
    model: str, image: ExploredImage, setting: Setting, view: View, estimate: Estimate
) -> bytes:
    """Return a NumPy archive of a map, with what it was computed from."""
    arrays: dict[str, Any] = {
        "map": estimate.map(view),
        "inputs": image.inputs,
        "image": image.pixels,
        "unit": setting.unit,
        "repetitions": estimate.repetitions,
        "code": lines(model, image, setting, view, estimate.repetitions),
    }
    error = estimate.relative_error(view)
    if error is not None:
        arrays["relative_error"] = error
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
