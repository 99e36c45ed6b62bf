#!/usr/bin/env bash
# On JAX, `keras.ops.one_hot` gives a row of zeros for a number with a fraction.
#
# Keras 3.15.1 with PyTorch 2.13.0 cuts the fraction off, as `ops.cast(x, "int32")` does:
# 1.3 is class 1. With JAX 0.10.2, numbers are compared with 0, 1, 2, ...: 1.0 is class 1,
# and 1.3 is no class at all, with a warning but no error. Categories that went through
# float arithmetic, such as a scaling and back, lose their rows there.
# Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0
cat > "$folder/rows.py" << 'PROGRAM'
import keras, numpy as np

for numbers in ([1.0, 2.0], [1.3, 2.9]):
    rows = keras.ops.one_hot(np.float32(numbers), 4)
    rows = keras.ops.convert_to_numpy(rows).astype(int).tolist()
    print(keras.backend.backend(), numbers, rows)
PROGRAM
for backend in jax torch; do
  KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/rows.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
jax [1.0, 2.0] [[0, 1, 0, 0], [0, 0, 1, 0]]
jax [1.3, 2.9] [[0, 0, 0, 0], [0, 0, 0, 0]]
torch [1.0, 2.0] [[0, 1, 0, 0], [0, 0, 1, 0]]
torch [1.3, 2.9] [[0, 1, 0, 0], [0, 0, 1, 0]]
SEEN
