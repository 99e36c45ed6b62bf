"""``python -m keras_explainable`` is the command ``keras-explainable``."""

from keras_explainable.cli import main

main()
