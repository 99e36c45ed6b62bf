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
from keras_explainable.metrics.localization import (
    auc,
    best_iou,
    pointing_game,
    relevance_mass_accuracy,
    relevance_rank_accuracy,
)
from keras_explainable.metrics.mosaics import focus, mosaics
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
    "faithfulness_correlation",
    "focus",
    "infidelity",
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
    "sparseness",
]

__dir__ = __all__.copy
