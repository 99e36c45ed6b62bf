"""The same scores as Xplique, given the same maps."""

import numpy as np
import pytest
from keras import ops
from xplique import metrics as xplique

from keras_explainable import metrics


@pytest.mark.parametrize("steps", [10, 24])
@pytest.mark.parametrize("baseline", [0.0, 0.5])
@pytest.mark.parametrize("name", ["Deletion", "Insertion"])
def test_deletion_and_insertion(model, images, units, name, baseline, steps):
    """Its score is a mean over the images. The steps divide the pixels."""
    maps = np.random.default_rng(1).normal(size=images.shape[:3])
    targets = ops.convert_to_numpy(ops.one_hot(units, 5))
    options = {"baseline_mode": baseline, "steps": steps}
    expected = getattr(xplique, name)(model, images, targets, **options)(maps)
    ours = getattr(metrics, name.lower())
    options = {"baseline": baseline, "steps": steps, "verbose": 0}
    found = ours(model, images, maps[..., None], units, **options)
    np.testing.assert_allclose(found.mean(), expected, rtol=1e-5, atol=1e-6)
