"""The state that a call must leave unchanged: of the model, and global."""

import hashlib
import random

import keras
import numpy as np

BACKEND = keras.backend.backend()


def facts(model):
    """Return everything about a model that a call could change."""
    found = {"losses": len(model.losses), "compiled": model.compiled}
    for layer in [model, *_all_layers(model)]:
        found[id(layer)] = (
            layer.name,
            layer.trainable,
            layer.built,
            # `_called` is Keras' own note that the layer was called.
            {
                name: id(value)
                for name, value in vars(layer).items()
                if name != "_called"
            },
            [len(getattr(layer, name, ())) for name in ("_inbound_nodes", "_layers")],
            [len(node) for node in _outbound(layer)],
            [id(variable) for variable in layer.variables],
        )
    for variable in model.variables:
        values = keras.ops.convert_to_numpy(variable.value)
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        found[id(variable)] = (variable.path, variable.trainable, digest)
    if BACKEND == "torch":
        found["torch"] = [(p.requires_grad, p.grad) for p in model.parameters()]
    return found


def _all_layers(model):
    for layer in model.layers:
        yield layer
        yield from _all_layers(layer) if hasattr(layer, "layers") else ()


def _outbound(layer):
    return [node.operation._outbound_nodes for node in layer._inbound_nodes]


def global_state():
    """Return the state that the whole process shares."""
    state = {
        "python": hash(random.getstate()),
        "numpy": np.random.get_state()[1].tobytes(),  # noqa: NPY002
        "policy": keras.config.dtype_policy().name,
        "format": keras.config.image_data_format(),
        "floatx": keras.config.floatx(),
    }
    if BACKEND == "torch":
        import torch

        state["seed"] = torch.get_rng_state().numpy().tobytes()
        state["grad"] = torch.is_grad_enabled()
        state["threads"] = torch.get_num_threads()
    return state
