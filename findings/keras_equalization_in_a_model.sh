#!/usr/bin/env bash
# `keras.layers.Equalization` cannot be part of a functional model.
#
# Keras 3.15.1 with JAX 0.10.2. The other image layers can. What this layer returns for a
# symbolic input is that input itself, so that `keras.Model` takes the graph for a cycle.
# On arrays the layer works. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2
cat > "$folder/cycle.py" << 'PROGRAM'
import keras, numpy as np

image = np.arange(192, dtype="float32").reshape(1, 8, 8, 3)
for kind in (keras.layers.AutoContrast, keras.layers.Equalization):
    layer, start = kind(), keras.Input((8, 8, 3))
    print(kind.__name__, "on an array:", tuple(layer(image).shape))
    end = layer(start)
    print("  returns its symbolic input:", end is start)
    try:
        print("  in a model:", keras.Model(start, end).output_shape)
    except ValueError as error:
        print("  in a model:", "a cycle" if "cycle" in str(error) else error)
PROGRAM
KERAS_BACKEND=jax "$folder/venv/bin/python" "$folder/cycle.py" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
AutoContrast on an array: (1, 8, 8, 3)
  returns its symbolic input: False
  in a model: (None, 8, 8, 3)
Equalization on an array: (1, 8, 8, 3)
  returns its symbolic input: True
  in a model: a cycle
SEEN
