#!/usr/bin/env bash
# Recurrent layers of the nightly build of Keras do not pass their mask on.
#
# In keras-nightly 3.16.0.dev2026102704, LSTM, GRU and SimpleRNN skip the steps that a
# Masking layer hides, as before. But their `supports_masking` is False, so the mask ends
# there: a second recurrent layer reads the hidden steps, and the prediction depends on the
# padding. A warning says that the mask is destroyed. In Keras 3.15.1, the mask is passed
# on. Seen with JAX 0.10.2 on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras-nightly==3.16.0.dev2026102704 jax==0.10.2
cat > "$folder/masks.py" << 'PROGRAM'
import keras
import numpy as np
from keras import layers

x = np.random.default_rng(0).normal(size=(1, 6, 3)).astype("float32")
x[:, 3:] = 0


def ignores_padding(*recurrent):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, 3)), layers.Masking(), *recurrent])
    padded, short = (model.predict(each, verbose=0) for each in (x, x[:, :3]))
    return np.allclose(padded, short, atol=1e-6)


for layer in (layers.LSTM, layers.GRU, layers.SimpleRNN):
    print(layer.__name__, "alone:", ignores_padding(layer(2)))
    two = layer(4, return_sequences=True), layer(2)
    print(layer.__name__, "twice:", ignores_padding(*two))
PROGRAM
KERAS_BACKEND=jax "$folder/venv/bin/python" "$folder/masks.py" \
  2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
LSTM alone: True
LSTM twice: False
GRU alone: True
GRU twice: False
SimpleRNN alone: True
SimpleRNN twice: False
SEEN
