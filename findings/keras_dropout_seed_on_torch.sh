#!/usr/bin/env bash
# Dropout without a seed draws from PyTorch's global generator, not from the layer's.
#
# Keras 3.15.1 gives each dropout layer a `SeedGenerator`, whose state is a variable of
# the model. With JAX 0.10.2 a call in training mode advances that state, and resetting
# it repeats the mask. With PyTorch 2.13.0 the state stays as it is, and resetting it
# does not repeat the mask; `torch.manual_seed` does. A layer made with a seed behaves
# alike on both. Whoever saves the variables to repeat Monte Carlo dropout repeats
# nothing on PyTorch. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0
cat > "$folder/masks.py" << 'PROGRAM'
import keras, numpy as np

x = np.ones((1, 64), "float32")
for seed in (None, 7):
    layer = keras.layers.Dropout(0.5, seed=seed)
    layer(x)  # Builds it.
    state = layer.seed_generator.state
    before = np.array(keras.ops.convert_to_numpy(state))
    first = keras.ops.convert_to_numpy(layer(x, training=True))
    after = keras.ops.convert_to_numpy(state)
    state.assign(before)
    again = keras.ops.convert_to_numpy(layer(x, training=True))
    print(
        keras.backend.backend(),
        "without seed:" if seed is None else "with a seed:",
        "state advanced", (before != after).any(),
        "mask repeated", (first == again).all(),
    )
PROGRAM
for backend in jax torch; do
  KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/masks.py"
done | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
jax without seed: state advanced True mask repeated True
jax with a seed: state advanced True mask repeated True
torch without seed: state advanced False mask repeated False
torch with a seed: state advanced True mask repeated True
SEEN
