"""What a trained Keras network looked at."""
