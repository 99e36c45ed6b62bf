#!/usr/bin/env bash
# A Functional model with `ops.norm(x, axis=-1)` cannot be called on JAX.
#
# Keras 3.15.1 builds the model, as the shapes of its outputs are known without running
# it. The operation in its graph keeps the axis as a list, though, and JAX 0.10.2 needs
# a hashable one: calling the model raises ValueError. The same expression works on JAX
# with tensors in place of the model's symbolic inputs, and the model works on PyTorch
# 2.13.0. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0
cat > "$folder/model.py" << 'PROGRAM'
import keras, numpy as np

x = np.float32([[3, 0, 4]])
inputs = keras.Input((3,))
model = keras.Model(inputs, keras.ops.norm(inputs, axis=-1))
print(keras.backend.backend(), "tensors:", float(keras.ops.norm(x, axis=-1)[0]))
try:
    print(keras.backend.backend(), "model:", float(model(x)[0]))
except ValueError as error:
    print(keras.backend.backend(), "model: ValueError", "unhashable" in str(error))
PROGRAM
for backend in jax torch; do
  KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/model.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
jax tensors: 5.0
jax model: ValueError True
torch tensors: 5.0
torch model: 5.0
SEEN
