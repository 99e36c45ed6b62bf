#!/usr/bin/env bash
# Which output of a model with named outputs is the first depends on how it is asked.
#
# Keras 3.15.1 with JAX 0.10.2 and PyTorch 2.13.0. The outputs are given as {"z": ...,
# "a": ...}. Calling the model and `compute_output_spec` return the keys in this order,
# and so does the configuration. `predict` sorts them, "a" first, and `model.outputs` is
# in sorted order, too. A program that takes "the first output" from two of these places
# mixes two outputs up. Seen on Linux, Python 3.11.
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
