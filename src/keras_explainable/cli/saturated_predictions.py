"""A note on predictions that may be due to the wrong range of the inputs."""

from collections.abc import Sequence
from typing import Any

from keras import layers

from keras_explainable.network.layers_of_model import layers_reversed

_SATURATED = 0.999


def saturation(model: Any, entries: Sequence[dict[str, Any]]) -> str | None:
    """Return a note if images of 0..255 all have the same prediction, without a doubt.

    Args:
        model: The model, which has received the images without preprocessing.
        entries: The manifest's entries of the images.
    """
    best = [entry["predictions"][0] for entry in entries]
    is_certain = all(one["probability"] and one["score"] > _SATURATED for one in best)
    if len(best) < 2 or not is_certain or len({one["unit"] for one in best}) > 1:
        return None
    own = layers.Rescaling, layers.Normalization
    if any(isinstance(layer, own) for layer in layers_reversed(model)):
        return None
    return (
        f"All {len(best)} images have the prediction {best[0]['label']} with more than "
        f"{100 * _SATURATED} %; if the model was not trained on values of 0..255, "
        "--preprocess must say on which."
    )
