"""A user's program, read by type checkers: it is never run.

Each line that a type checker must refuse says so; a comment without an error is an
error, too.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import keras_explainable as ke

model = ke.demo.load_model()
x, y, masks = ke.demo.load_samples()

logits, maps = ke.gradcam(model, x, y, layer="conv", batch_size=8)
assert_type(logits, NDArray[np.floating[Any]])
mean: float = logits.mean()
brightest = maps[0].max()

explanation = ke.gradcam(model, x).with_labels({3: "cat"})
assert_type(explanation.units, NDArray[np.integer[Any]] | None)
explanation.save("maps.npz")
_, *others = ke.explain(ke.methods.gradient.gradients, model, x)
logits, maps, stats = ke.smoothgrad(model, x, return_stats=True)
hashed: str | None = ke.Explanation.load("maps.npz").model

results = ke.smoothgrad(model, x, "predicted", noise_level=0.1, return_stats=True)
assert_type(results[0], NDArray[np.floating[Any]])
flips: NDArray[Any] = results[2].flip_rate
pair: tuple[Any, Any] = ke.vargrad(model, x, estimator="sampled")

ke.gradcam(model, x, layers="conv")  # type: ignore[call-arg]
ke.gradcam(model, x, return_stats=True)  # type: ignore[call-arg]
ke.expected_gradients(model, x)  # type: ignore[call-overload]
ke.smoothgrad(model, x, estimator="slope")  # type: ignore[call-overload]
wrong: str = results[2].flip_rate  # type: ignore[assignment]
both, only = ke.smoothgrad(model, x, return_stats=True)  # type: ignore[misc]
three, wrong_number, of_values = ke.gradcam(model, x)  # type: ignore[misc]
