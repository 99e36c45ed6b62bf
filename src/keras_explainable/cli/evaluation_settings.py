"""The settings of ``evaluate``, checked."""

import dataclasses
from functools import partial
from typing import Any

from keras_explainable.cli.settings import LAYER_METHODS, NOISE_METHODS, Settings
from keras_explainable.common import near_names

#: Metrics that compare maps with masks.
MASK_METRICS = (
    *("auc", "best_iou", "pointing_game"),
    *("relevance_mass_accuracy", "relevance_rank_accuracy"),
)

#: Metrics of the command.
METRICS = (
    *("deletion", "insertion", "degradation_score", "pixel_flipping", "road"),
    *("faithfulness_correlation", "sensitivity_n", "infidelity", "completeness_gap"),
    "single_deletion",
    *MASK_METRICS,
    *("max_sensitivity", "avg_sensitivity", "local_lipschitz_estimate"),
    *("input_invariance", "mprt", "efficient_mprt", "random_logit"),
    *("sparseness", "complexity", "effective_complexity"),
)


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """The options of ``evaluate`` that determine the scores, checked when created.

    Attributes:
        maps: The settings of the maps.
        metric: One of ``METRICS``, or several of them separated by commas.
        controls: Whether maps that know nothing of the model are scored, too.
        seeds: The number of seeds of what is drawn at random.
        seed: The first of them.
    """

    maps: Settings
    metric: str = "deletion,insertion"
    controls: bool = True
    seeds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in METRICS:
                hint = near_names.question(name, METRICS) or "."
                raise ValueError(
                    "--metric must be one of the metrics in --help, or several of "
                    f"them, separated by commas; received {name}{hint}"
                )
        if len({*self.metrics}) < len(self.metrics):
            raise ValueError(
                f"--metric must be a list without repeats; received {self.metric}."
            )
        if self.seeds < 1:
            raise ValueError(f"--seeds must be at least 1; received {self.seeds}.")
        if self.seed < 0:
            raise ValueError(f"--seed must be 0 or more; received {self.seed}.")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics."""
        return tuple(self.metric.split(","))

    @property
    def need_masks(self) -> bool:
        """Return whether any of the metrics compares maps with masks."""
        return not {*self.metrics}.isdisjoint(MASK_METRICS)

    def check_masks(self, given: Any, bundled: bool) -> None:
        """Raise ValueError if masks are missing, or have no effect."""
        listed = self.metric
        if given is not None and bundled:
            raise ValueError(
                "--masks must be omitted with the bundled images, which have their "
                f"own; received {given}."
            )
        if given is not None and not self.need_masks:
            raise ValueError(
                f"--masks must be omitted with --metric {listed}, which uses none; "
                f"received {given}."
            )
        if given is None and self.need_masks and not bundled:
            needy = ", ".join(name for name in self.metrics if name in MASK_METRICS)
            raise ValueError(
                f"--masks must be a folder with a mask for each image for --metric "
                f"{needy}; it is missing."
            )

    def methods(self) -> dict[str, Any]:
        """Return the methods by name."""
        import keras_explainable as ke

        return {
            name: partial(getattr(ke, name), **self._params(name))
            for name in self.maps.methods
        }

    def _params(self, method: str) -> dict[str, Any]:
        params: dict[str, Any] = {}
        if method in NOISE_METHODS:
            params["repetitions"] = self.maps.repetitions
            params["noise_level"] = self.maps.noise_level
        if method in LAYER_METHODS and self.maps.layer is not None:
            params["layer"] = self.maps.layer
        return params
