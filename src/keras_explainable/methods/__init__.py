"""Explaining methods: plain functions from a model and inputs to (logits, maps)."""

from keras_explainable.methods import gradient, meta

__all__ = ["gradient", "meta"]
