#!/usr/bin/env bash
# Keras' RandomCrop neither crops nor resizes at inference, whatever its output shape.
#
# The documentation of keras.layers.RandomCrop (3.15.1) says that at inference the image
# is resized and cropped to the largest window of the target's aspect ratio, and so does
# the symbolic shape of a model with it. With training=False the layer returns the image
# as it came, of another size: the next layer gets a shape that Keras did not promise. A
# Dense layer behind Flatten refuses it; convolutions and global pooling take it in
# silence, on another field of view than in training. CenterCrop of the same size keeps
# its promise. Seen with PyTorch 2.13.0 on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 torch==2.13.0
cat > "$folder/crops.py" << 'PROGRAM'
import keras
import numpy as np
from keras import layers

images = np.ones((2, 32, 40, 3), "float32")
for layer in (layers.RandomCrop(16, 16), layers.CenterCrop(16, 16)):
    inputs = keras.Input((32, 40, 3))
    model = keras.Model(inputs, layer(inputs))
    shapes = [model(images, training=mode).shape for mode in (True, False)]
    print(type(layer).__name__, model.output_shape, *map(tuple, shapes))
inputs = keras.Input((32, 40, 3))
flat = layers.Flatten()(layers.RandomCrop(16, 16)(inputs))
model = keras.Model(inputs, layers.Dense(1)(flat))
try:
    model(images, training=False)
except Exception as error:
    print(type(error).__name__)
PROGRAM
KERAS_BACKEND=torch "$folder/venv/bin/python" "$folder/crops.py" \
  2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
RandomCrop (None, 16, 16, 3) (2, 16, 16, 3) (2, 32, 40, 3)
CenterCrop (None, 16, 16, 3) (2, 16, 16, 3) (2, 16, 16, 3)
ValueError
SEEN
