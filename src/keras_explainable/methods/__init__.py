"""Explaining methods: plain functions from a model and inputs to (logits, maps)."""

from keras_explainable.methods import cams, gradient, meta, perturbation

__all__ = ["cams", "gradient", "meta", "perturbation"]
