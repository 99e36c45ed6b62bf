#!/usr/bin/env bash
# On PyTorch, `keras.ops.segment_sum` fails once PyTorch's default dtype is float64.
#
# After `torch.set_default_dtype(torch.float64)`, as scientific programs set it,
# `segment_sum` and `segment_max` of Keras 3.15.1 with PyTorch 2.13.0 raise an error about
# dtypes of `scatter`, for float32 values and for float64 ones. With the default float32
# both dtypes work, and `ops.sum` works with either default.
# Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 torch==2.13.0 numpy==2.4.6
cat > "$folder/sums.py" << 'PROGRAM'
import keras, numpy as np, torch

ops = keras.ops


def tried(function, values):
    try:
        return keras.backend.standardize_dtype(function(values).dtype)
    except RuntimeError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def segments(name):
    places = ops.convert_to_tensor(np.array([0, 0, 1], "int32"))
    return lambda x: getattr(ops, name)(x, places, num_segments=2)


functions = {"sum": ops.sum}
functions |= {name: segments(name) for name in ("segment_sum", "segment_max")}
for default in (torch.float32, torch.float64):
    torch.set_default_dtype(default)
    for name, function in functions.items():
        for dtype in ("float32", "float64"):
            values = ops.convert_to_tensor(np.ones(3, dtype))
            print(default, name, "of", dtype, "->", tried(function, values))
PROGRAM
KERAS_BACKEND=torch "$folder/venv/bin/python" "$folder/sums.py" \
  2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
torch.float32 sum of float32 -> float32
torch.float32 sum of float64 -> float64
torch.float32 segment_sum of float32 -> float32
torch.float32 segment_sum of float64 -> float64
torch.float32 segment_max of float32 -> float32
torch.float32 segment_max of float64 -> float64
torch.float64 sum of float32 -> float32
torch.float64 sum of float64 -> float64
torch.float64 segment_sum of float32 -> RuntimeError: scatter(): Expected self.dtype to be equal to src.dtype
torch.float64 segment_sum of float64 -> RuntimeError: scatter(): Expected self.dtype to be equal to src.dtype
torch.float64 segment_max of float32 -> RuntimeError: scatter(): Expected self.dtype to be equal to src.dtype
torch.float64 segment_max of float64 -> RuntimeError: scatter(): Expected self.dtype to be equal to src.dtype
SEEN
