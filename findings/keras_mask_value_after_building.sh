#!/usr/bin/env bash
# A changed Masking.mask_value is half followed by a model that was built before.
#
# In a Sequential or Functional model, the mask that keras.layers.Masking (3.15.1) passes
# to the next layer is computed by operations of the graph, with the value at the time of
# building. The layer's own call reads the attribute. If mask_value is changed later, the
# model sets the steps with the new value to zero, but the recurrent layer does not skip
# them: it reads the zeros. The same layers called one after the other skip them, as does
# a model that was built with the new value. Seen with PyTorch 2.13.0 on Linux, Python
# 3.11; JAX 0.10.2 gave the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 torch==2.13.0
cat > "$folder/masks.py" << 'PROGRAM'
import keras
import numpy as np
from keras import layers, ops


def build(padding):
    keras.utils.set_random_seed(0)
    first = [keras.Input((None, 3)), layers.Masking(padding)]
    return keras.Sequential([*first, layers.LSTM(4)])


def step_by_step(model, x):
    for layer in model.layers:
        x = layer(x)
    return x


def same(one, other):
    return np.allclose(*map(ops.convert_to_numpy, (one, other)), atol=1e-5)


shown = np.random.default_rng(0).normal(size=(1, 5, 3)).astype("float32")
x = np.concatenate([shown, np.full((1, 3, 3), 50, "float32")], axis=1)
built, changed = build(50.0), build(-99.0)
changed.layers[0].mask_value = 50.0
expected = built(shown)
print("built with the value:", same(built(x), expected))
print("changed, layer by layer:", same(step_by_step(changed, x), expected))
print("changed, as a model:", same(changed(x), expected))
zeros = np.concatenate([shown, np.zeros((1, 3, 3), "float32")], axis=1)
print("it reads zeros:", same(changed(x), changed(zeros)))
PROGRAM
KERAS_BACKEND=torch "$folder/venv/bin/python" "$folder/masks.py" \
  2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
built with the value: True
changed, layer by layer: True
changed, as a model: False
it reads zeros: True
SEEN
