#!/usr/bin/env bash
# On PyTorch, `keras.ops.mean` of float64 has float64's dtype and float32's precision.
#
# With Keras 3.15.1, PyTorch 2.13.0 and NumPy 2.4.6, the mean of three times 1/3 is off by
# 1e-8, though its dtype is float64. The sum of the same tensor, divided by 3, is exact to
# 1e-16, and with TensorFlow 2.21.0 the mean is, too. The dtype does not show that digits
# were lost, for example to finite differences of a network with global average pooling.
# Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 \
  torch==2.13.0 numpy==2.4.6
cat > "$folder/third.py" << 'PROGRAM'
import keras, numpy as np

ops = keras.ops
x = ops.convert_to_tensor(np.full(3, 1 / 3), "float64")
values = {
    "sum": ops.sum(x) / 3,
    "mean": ops.mean(x),
}
for name, value in values.items():
    error = abs(float(ops.convert_to_numpy(value)) - 1 / 3)
    precise = "precise" if error < 1e-15 else "rounded"
    dtype = keras.backend.standardize_dtype(value.dtype)
    print(keras.backend.backend(), name, dtype, precise)
PROGRAM
for backend in tensorflow torch; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" \
    "$folder/third.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
tensorflow sum float64 precise
tensorflow mean float64 precise
torch sum float64 precise
torch mean float64 rounded
SEEN
