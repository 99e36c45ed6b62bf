"""What to do with files of models that are no whole Keras models."""

import pathlib

_SAVED_MODEL = (
    "is a SavedModel, which Keras 3 loads as a layer: in Python, on TensorFlow, build "
    "keras.Sequential([keras.Input(shape), keras.layers.TFSMLayer(path, "
    'call_endpoint="serving_default")]) and call `keras_explainable.smoothgrad`, '
    "which then explains what the model returns, such as probabilities"
)
_WEIGHTS = (
    "holds weights without a model: build the model in Python, call "
    "model.load_weights(path), and save it with model.save('model.keras')"
)
_CONVERTED = (
    "has neither Keras layers nor derivatives: explain the Keras model that it was "
    "converted from"
)
_TORCH = (
    "is a file of PyTorch: build its network in Keras, copy the weights, and save it "
    "with model.save('model.keras')"
)

_BY_ENDING = {
    ".weights.h5": _WEIGHTS,
    ".tflite": f"is a TensorFlow Lite model, which {_CONVERTED}",
    ".onnx": f"is an ONNX model, which {_CONVERTED}",
    ".pb": _SAVED_MODEL,
    ".pt": _TORCH,
    ".pth": _TORCH,
}


def advice(name: str) -> str | None:
    """Return how a model of another format can be explained; None for any other name.

    Args:
        name: What ``--model`` names.
    """
    path = pathlib.Path(name)
    if path.is_dir():
        saved = (path / "saved_model.pb").is_file()
        return _SAVED_MODEL if saved else "is a folder without a SavedModel"
    endings = [ending for ending in _BY_ENDING if name.lower().endswith(ending)]
    return _BY_ENDING[endings[0]] if endings else None
