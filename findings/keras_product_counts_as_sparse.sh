#!/usr/bin/env bash
# In a Functional model on TensorFlow, a layer of one's own cannot read `x * 2`.
#
# Keras 3.15.1 marks the symbolic product of a tensor and a Python number as sparse,
# though neither is. Sums, differences and quotients are dense. To infer the shape of a
# custom layer's output, Keras on TensorFlow 2.21.0 then calls the layer with a
# SparseTensor, which has no slices and no subtraction: building the model raises
# TypeError. The same layer behind `x + x` works, as does the model on PyTorch 2.13.0.
# `compute_output_shape` in the layer avoids the error. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 torch==2.13.0
cat > "$folder/model.py" << 'PROGRAM'
import keras


class FirstTwo(keras.layers.Layer):
    def call(self, x):
        return x[:, :2]


x = keras.Input((4,))
for name, y in {"x + x": x + x, "x / 2": x / 2, "x * 2": x * 2}.items():
    try:
        found = FirstTwo()(y).shape
    except TypeError as error:
        found = "TypeError", "SparseTensor" in str(error)
    print(keras.backend.backend(), name, "sparse" if y.sparse else "dense", *found)
PROGRAM
for backend in tensorflow torch; do
  KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/model.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
tensorflow x + x dense None 2
tensorflow x / 2 dense None 2
tensorflow x * 2 sparse TypeError True
torch x + x dense None 2
torch x / 2 dense None 2
torch x * 2 sparse None 2
SEEN
