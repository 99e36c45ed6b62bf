#!/usr/bin/env bash
# Which output is the first of a model whose outputs are a dictionary depends on the
# backend and on how it is asked.
#
# Keras 3.15.1. The outputs are given as {"z": ..., "a": ...}. Calling the model returns
# the keys in this order with JAX 0.10.2, and sorted ("a" first) with PyTorch 2.13.0.
# `predict` sorts them with JAX as well. `model.outputs` and `output_names` are in sorted
# order with both, and `compute_output_spec` and the configuration in the order given.
# A program that takes "the first output" therefore reads another one after a change of
# the backend. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0
cat > "$folder/order.py" << 'PROGRAM'
import keras, numpy as np

start = keras.Input((4,))
outputs = {"z": keras.layers.Dense(2)(start), "a": keras.layers.Dense(3)(start)}
model = keras.Model(start, outputs)
x = np.zeros((1, 4), "float32")
print(
    keras.backend.backend(),
    "call:", *model(x),
    "predict:", *model.predict(x, verbose=0),
    "outputs:", *[each.shape[-1] for each in model.outputs],
    "spec:", *model.compute_output_spec(model.input),
    "config:", *model.get_config()["output_layers"],
)
PROGRAM
for backend in jax torch; do
  KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/order.py"
done | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
jax call: z a predict: a z outputs: 3 2 spec: z a config: z a
torch call: a z predict: a z outputs: 3 2 spec: z a config: z a
SEEN
