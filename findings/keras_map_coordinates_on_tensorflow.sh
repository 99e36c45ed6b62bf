#!/usr/bin/env bash
# `ops.image.map_coordinates` continues an image in another way on TensorFlow.
#
# Keras 3.15.1 names its fill modes as SciPy does. Outside the image, with order 1,
# "mirror" and "reflect" agree with SciPy 1.16.3 on JAX 0.10.2 and PyTorch 2.13.0. On
# TensorFlow 2.20.0, "reflect" returns other values, and "mirror" raises an error, as it
# reads beyond the last row. "nearest" and "wrap" agree on all three. A model that warps
# images by a flow field thus computes something else when its backend is changed. Seen
# on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 scipy==1.16.3 \
  tensorflow-cpu==2.20.0 jax==0.10.2 torch==2.13.0
cat > "$folder/warp.py" << 'PROGRAM'
import keras, numpy as np
from scipy import ndimage

image = np.arange(30, dtype="float32").reshape(5, 6) ** 1.5
at = np.float32([[-1.25, -0.5, 2.0, 4.5, 5.25], [1.0, -1.5, 3.5, 6.25, 5.5]])
modes = {"nearest": "nearest", "wrap": "grid-wrap", "mirror": "mirror", "reflect": "reflect"}
for mode, of_scipy in modes.items():
    expected = ndimage.map_coordinates(image, at, order=1, mode=of_scipy)
    try:
        found = keras.ops.image.map_coordinates(image, at, 1, fill_mode=mode)
        found = keras.ops.convert_to_numpy(found)
        seen = "as SciPy" if np.allclose(found, expected, atol=1e-3) else "other values"
    except Exception as error:
        seen = type(error).__name__
    print(keras.backend.backend(), mode, seen)
PROGRAM
for backend in tensorflow jax torch; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/warp.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
tensorflow nearest as SciPy
tensorflow wrap as SciPy
tensorflow mirror InvalidArgumentError
tensorflow reflect other values
jax nearest as SciPy
jax wrap as SciPy
jax mirror as SciPy
jax reflect as SciPy
torch nearest as SciPy
torch wrap as SciPy
torch mirror as SciPy
torch reflect as SciPy
SEEN
