"""What a page asks for: settings that cost network passes, and views that do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from keras_explainable.common import checks
from keras_explainable.report.explanation_records import METHODS
from keras_explainable.sampling.standard_error import STATISTICS, Statistic

#: The method whose samples are drawn step by step.
SMOOTHGRAD = "smoothgrad"

#: Ways to estimate its mean. Only "sampled" has other statistics, and goes on.
ESTIMATORS = ("sampled", "hybrid", "slopes")

#: Methods of the page. Squares and the variance are statistics of SmoothGrad.
EXPLORED = tuple(
    name for name in METHODS if name not in ("smoothgrad_squared", "vargrad")
)

#: Methods that draw something else than noise, once for all of a map.
SEEDED = ("rise",)

#: The fewest and the most repetitions that a page may ask for.
REPETITIONS = (8, 4096)


@dataclass(frozen=True)
class Setting:
    """What determines a map besides the number of repetitions.

    Attributes:
        image: Key of the image.
        unit: Unit to explain.
        method: One of ``EXPLORED``.
        estimator: One of ``ESTIMATORS``.
        noise_level: Sigma as a fraction of the image's range.
        seed: Seed of the noise.
    """

    image: int
    unit: int
    method: str = SMOOTHGRAD
    estimator: str = "sampled"
    noise_level: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        checks.integer("image", self.image, 0)
        checks.integer("unit", self.unit, 0)
        checks.one_of("method", self.method, EXPLORED)
        checks.one_of("estimator", self.estimator, ESTIMATORS)
        checks.number("noise_level", self.noise_level, 0)
        checks.fractions("noise_level", self.noise_level, "")
        checks.integer("seed", self.seed, 0)

    @property
    def draws_noise(self) -> bool:
        """Whether the map depends on the noise, and on the number of repetitions."""
        return self.method == SMOOTHGRAD

    @property
    def continues(self) -> bool:
        """Whether more repetitions go on from the sums of fewer."""
        return self.draws_noise and self.estimator == "sampled"

    def without_effectless(self) -> "Setting":
        """Return the setting with the defaults of what has no effect on the map."""
        if self.draws_noise:
            return self
        seed = self.seed if self.method in SEEDED else 0
        return Setting(self.image, self.unit, self.method, seed=seed)


@dataclass(frozen=True)
class View:
    """What is shown of the samples that were drawn.

    Attributes:
        statistic: Statistic over the repetitions.
        signed: Whether the mean over the channels is that of signed values.
    """

    statistic: Statistic = "mean"
    signed: bool = False

    def __post_init__(self) -> None:
        checks.one_of("statistic", self.statistic, STATISTICS)
        checks.boolean("signed", self.signed)


@dataclass(frozen=True)
class Request:
    """A map that a page asks for.

    Attributes:
        setting: What to compute.
        view: What to show.
        repetitions: Number of repetitions.
        tolerance: Relative error at which to stop before; None for never.
    """

    setting: Setting
    view: View = View()
    repetitions: int = 64
    tolerance: float | None = None

    def __post_init__(self) -> None:
        checks.integer("repetitions", self.repetitions, *REPETITIONS)
        if self.tolerance is not None:
            checks.number("tolerance", self.tolerance, 0)
        sampled = self.setting.continues or self.view.statistic == "mean"
        if not sampled:
            raise ValueError(
                "`statistic` must be 'mean' unless the estimator of SmoothGrad is "
                f"'sampled'; received {self.view.statistic!r}."
            )

    @classmethod
    def of_message(cls, message: Mapping[str, Any], best_unit: int) -> Self:
        """Return what a message of a page asks for.

        Args:
            message: Untrusted entries; those of other names do not count.
            best_unit: Unit to explain if the message has none.

        Raises:
            ValueError: If an entry is not as described.
            TypeError: If an entry has the wrong type.
        """
        setting = Setting(**_taken(message, Setting) | _unit(message, best_unit))
        own = {
            name: message[name]
            for name in ("repetitions", "tolerance")
            if name in message
        }
        view = View(**_taken(message, View))
        return cls(setting.without_effectless(), view, **own)

    def is_met(self, repetitions: int, error: float | None) -> bool:
        """Return whether a map of so many repetitions, with this error, is enough."""
        if not self.setting.draws_noise or repetitions >= self.repetitions:
            return True
        if self.tolerance is None or error is None:
            return False
        return error <= self.tolerance


def _taken(message: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    return {name: message[name] for name in kind.__annotations__ if name in message}


def _unit(message: Mapping[str, Any], best_unit: int) -> dict[str, Any]:
    return {"unit": best_unit} if message.get("unit") is None else {}
