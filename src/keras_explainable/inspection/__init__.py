"""Looking into a model, without touching it."""

from keras_explainable.inspection.biases import biases, layers_with_biases
from keras_explainable.inspection.embeddings import embedded_model
from keras_explainable.inspection.exposed_layers import endpoints, expose
from keras_explainable.inspection.find_layers import (
    find_layer_with,
    get_global_pooling_layer,
    get_logits_layer,
    get_nested_layer,
)
from keras_explainable.inspection.logits import logits_model, runnable_model
from keras_explainable.inspection.targets import output_model, target_model
from keras_explainable.network.output_units import gather_units

__all__ = [
    "biases",
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
    "target_model",
]
