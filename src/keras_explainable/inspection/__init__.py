"""Look into a Keras model without changing it.

A function here takes a model, which is only read, and returns its layers, their biases,
or another model that shares its layers and weights: of the logits, of inner layers, of
one output, of a function of the outputs, behind the embedding of tokens, or of inputs
with channels last. The package knows models as graphs (``network``) and caches what it
builds (``execution``). It must not know the explanation methods, sampling, or the
lowered copy.
"""

from keras_explainable.filters import SPATIAL as SPATIAL_AXIS
from keras_explainable.inspection.biases import (
    NORMALIZATION_LAYERS,
    biases,
    layers_with_biases,
)
from keras_explainable.inspection.channels import channels_last_model
from keras_explainable.inspection.embeddings import embedded_model
from keras_explainable.inspection.exposed_layers import endpoints, expose
from keras_explainable.inspection.find_layers import (
    POOLING_LAYERS,
    find_layer_with,
    get_global_pooling_layer,
    get_logits_layer,
    get_nested_layer,
)
from keras_explainable.inspection.find_tokens import token_grid
from keras_explainable.inspection.logits import logits_model, runnable_model
from keras_explainable.inspection.one_output import output_model
from keras_explainable.inspection.shown_layers import shown_layers
from keras_explainable.inspection.targeted_model import target_model
from keras_explainable.network.output_units import gather_units

#: Axis of the channels, and of the units.
KERNEL_AXIS = -1

#: Constants that other modules import from here, and that ``dir`` does not list.
CONSTANTS = (KERNEL_AXIS, SPATIAL_AXIS, NORMALIZATION_LAYERS, POOLING_LAYERS)

__all__ = [
    "biases",
    "channels_last_model",
    "embedded_model",
    "endpoints",
    "expose",
    "find_layer_with",
    "gather_units",
    "get_global_pooling_layer",
    "get_logits_layer",
    "get_nested_layer",
    "layers_with_biases",
    "logits_model",
    "output_model",
    "runnable_model",
    "shown_layers",
    "target_model",
    "token_grid",
]

__dir__ = __all__.copy
