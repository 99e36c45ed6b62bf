"""The derivatives of all of Keras' functions and layers; README.md explains it."""
