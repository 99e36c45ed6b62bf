#!/usr/bin/env bash
# On TensorFlow, `keras.ops.add` takes a column for biases if the array is square.
#
# With Keras 3.15.1 and TensorFlow 2.21.0, adding (B, 1) to (B, C) adds the first number
# to the first column, the second to the second one, and so on, if B and C are equal; `+`
# in a Functional model does the same, so that its outputs depend on the batch size. The
# order (B, 1) + (B, C), other sizes, and PyTorch 2.13.0 add each row's own number, as
# NumPy does. keras-nightly 3.16.0.dev2026102704 does so, too. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 torch==2.13.0
cat > "$folder/add.py" << 'PROGRAM'
import keras
import numpy as np

ops = keras.ops
inputs = keras.Input((2,))
square = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
model = keras.Model(inputs, inputs + square)
x = np.float32([[1, 2], [3, 4], [5, 6]])
expected = x + (x**2).sum(-1, keepdims=True)
for rows in (3, 2):
    outputs = ops.convert_to_numpy(model(x[:rows]))
    right = np.array_equal(outputs, expected[:rows])
    print(keras.backend.backend(), rows, "rows:", "right" if right else "wrong")
PROGRAM
for backend in tensorflow torch; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" \
    "$folder/add.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
tensorflow 3 rows: right
tensorflow 2 rows: wrong
torch 3 rows: right
torch 2 rows: right
SEEN
