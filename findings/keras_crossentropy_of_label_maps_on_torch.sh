#!/usr/bin/env bash
# On PyTorch, Keras cannot train a segmentation network with integer labels on a CPU.
#
# With Keras 3.15.1 and PyTorch 2.13.0, `fit` of a network whose outputs are class
# probabilities of each pixel, (B, H, W, classes), ends in "RuntimeError: grad_input must
# be contiguous" with the loss "sparse_categorical_crossentropy". The value of the loss is
# right, and so are the derivatives for outputs (B, classes), for one-hot labels with
# "categorical_crossentropy", and for the same labels with TensorFlow 2.21.0.
# Seen on Linux, Python 3.11, a CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 \
  torch==2.13.0 numpy==2.4.6
cat > "$folder/segmentation.py" << 'PROGRAM'
import keras, numpy as np

keras.utils.set_random_seed(0)
images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
labels = np.random.default_rng(1).integers(0, 5, (2, 4, 4))
one_hot = np.eye(5, dtype="float32")[labels]


def network(pool):
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs) if pool else inputs
    return keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(x))


cases = {
    "label maps": (False, "sparse_categorical_crossentropy", labels),
    "one-hot maps": (False, "categorical_crossentropy", one_hot),
    "labels": (True, "sparse_categorical_crossentropy", labels[:, 0, 0]),
}
for name, (pool, loss, y) in cases.items():
    model = network(pool)
    model.compile("sgd", loss)
    value = model.evaluate(images, y, verbose=0)
    try:
        model.fit(images, y, verbose=0)
        said = "trained"
    except RuntimeError as error:
        said = str(error).splitlines()[0]
    print(keras.backend.backend(), name, np.isfinite(value), said, sep=": ")
PROGRAM
for backend in tensorflow torch; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" \
    "$folder/segmentation.py"
done 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
tensorflow: label maps: True: trained
tensorflow: one-hot maps: True: trained
tensorflow: labels: True: trained
torch: label maps: True: grad_input must be contiguous
torch: one-hot maps: True: trained
torch: labels: True: trained
SEEN
