#!/usr/bin/env bash
# A model with `ops.isin` can be called on TensorFlow, but not run by `predict`.
#
# Keras 3.15.1 builds the model, and `model(x)` is right with TensorFlow 2.21.0.
# `model.predict(x)`, which compiles it, raises an error on a tensor used as a Python
# bool, with and without `jit_compile`. On JAX 0.10.2 both work, also compiled. Seen on
# Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 jax==0.10.2
cat > "$folder/model.py" << 'PROGRAM'
import keras, numpy as np

backend, x = keras.backend.backend(), np.float32([[1, 0, 2]])
inputs = keras.Input((3,))
found = keras.ops.cast(keras.ops.isin(inputs, [1.0, 2.0]), "float32")
model = keras.Model(inputs, found)
print(backend, "called:", keras.ops.convert_to_numpy(model(x)).tolist())
for jit_compile in (False, True):
    model.compile(jit_compile=jit_compile)
    try:
        print(backend, "predict:", model.predict(x, verbose=0).tolist())
    except Exception as error:
        print(backend, "predict:", type(error).__name__)
PROGRAM
for backend in tensorflow jax; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" \
    "$folder/model.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
tensorflow called: [[1.0, 0.0, 1.0]]
tensorflow predict: OperatorNotAllowedInGraphError
tensorflow predict: OperatorNotAllowedInGraphError
jax called: [[1.0, 0.0, 1.0]]
jax predict: [[1.0, 0.0, 1.0]]
jax predict: [[1.0, 0.0, 1.0]]
SEEN
