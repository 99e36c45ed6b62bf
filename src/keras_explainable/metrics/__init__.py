"""How good is a map? Scores for each image and unit.

Metrics of maps alone, or of maps and masks, are functions of arrays. Those of
faithfulness also take the model and its inputs, of which they compare perturbed copies;
those of robustness and randomisation take the method itself. The attribute
``higher_is_better`` of each metric says which of two scores is the better one.
"""

from keras_explainable.metrics.attribution_sums import (
    faithfulness_correlation,
    infidelity,
    sensitivity_n,
)
from keras_explainable.metrics.axioms import completeness_gap
from keras_explainable.metrics.complexity import (
    complexity,
    effective_complexity,
    sparseness,
)
from keras_explainable.metrics.complexity_rise import efficient_mprt
from keras_explainable.metrics.localization import (
    auc,
    best_iou,
    pointing_game,
    relevance_mass_accuracy,
    relevance_rank_accuracy,
)
from keras_explainable.metrics.mosaics import focus, mosaics
from keras_explainable.metrics.patch_deletion import single_deletion
from keras_explainable.metrics.pixel_removal import (
    Curves,
    degradation_score,
    deletion,
    insertion,
    perturbation_curves,
    pixel_flipping,
    road,
)
from keras_explainable.metrics.randomization import mprt, random_logit
from keras_explainable.metrics.robustness import (
    avg_sensitivity,
    local_lipschitz_estimate,
    max_sensitivity,
)
from keras_explainable.metrics.shifted_inputs import input_invariance

__all__ = [
    "Curves",
    "auc",
    "avg_sensitivity",
    "best_iou",
    "completeness_gap",
    "complexity",
    "degradation_score",
    "deletion",
    "effective_complexity",
    "efficient_mprt",
    "faithfulness_correlation",
    "focus",
    "infidelity",
    "input_invariance",
    "insertion",
    "local_lipschitz_estimate",
    "max_sensitivity",
    "mosaics",
    "mprt",
    "perturbation_curves",
    "pixel_flipping",
    "pointing_game",
    "random_logit",
    "relevance_mass_accuracy",
    "relevance_rank_accuracy",
    "road",
    "sensitivity_n",
    "single_deletion",
    "sparseness",
]

__dir__ = __all__.copy
