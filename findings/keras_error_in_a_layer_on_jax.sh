#!/usr/bin/env bash
# Keras hides why a layer cannot be traced by JAX behind an AttributeError.
#
# A layer that reads a value (`if x[0, 0] > 0`, `float(x[0, 0])`, `numpy.asarray(x)`)
# cannot be traced, and JAX 0.10.2 says so in an error of its own, with advice. Keras
# 3.15.1 makes a new error of the same class from its text, to add the layer's
# arguments, but JAX's classes take the traced array instead: what reaches the user is
# "'str' object has no attribute '_error_repr'", without a word of the layer or the
# line. A ValueError of a layer arrives with both texts, and JAX's own error arrives if
# the same function is traced without Keras. Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2
cat > "$folder/layer.py" << 'PROGRAM'
import jax
import keras


class Reads(keras.layers.Layer):
    def call(self, x):
        return x if x[0, 0] > 0 else -x


class Raises(keras.layers.Layer):
    def call(self, x):
        raise ValueError("its own text")


def attempt(call):
    try:
        call()
    except Exception as error:
        text = str(error)
        known = ["_error_repr", "its own text", "raced array"]
        print(type(error).__name__, [part for part in known if part in text])


attempt(lambda: Reads()(keras.Input((3,))))
attempt(lambda: Raises()(keras.Input((3,))))
attempt(lambda: jax.eval_shape(Reads().call, jax.ShapeDtypeStruct((2, 3), "float32")))
PROGRAM
KERAS_BACKEND=jax "$folder/venv/bin/python" "$folder/layer.py" \
  2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
AttributeError ['_error_repr']
ValueError ['its own text']
TracerBoolConversionError ['raced array']
SEEN
