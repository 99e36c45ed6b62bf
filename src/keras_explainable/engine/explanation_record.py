"""What ``explain`` notes of its batches, for the explanation that it returns."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common.structures import Nested, flatten, map_structure
from keras_explainable.engine.batch_source import Batch
from keras_explainable.engine.data_iterators import is_stream
from keras_explainable.engine.explanation.explanation import AnyExplanation, Explanation
from keras_explainable.engine.explanation.facts import Facts, LazyFingerprint
from keras_explainable.engine.prepared_network import PreparedNetwork
from keras_explainable.engine.results import Result
from keras_explainable.execution.compilation import display_name
from keras_explainable.execution.model_preparation import preprocessing_of, title_of
from keras_explainable.inspection.axes import Plan
from keras_explainable.inspection.exposed_layers import inputs_of_exposed
from keras_explainable.network.model_inputs import (
    for_each_input,
    names_in_order,
    symbolic_inputs,
)
from keras_explainable.sampling.stats import Stats
from keras_explainable.types import Method, Model


class ExplanationRecord:
    """Collects the facts of an explanation.

    Args:
        method: Explaining method.
        model: The user's model.
        x: The user's inputs.
        has_units: Whether units are explained, and no function or target.
    """

    def __init__(self, method: Method, model: Model, x: Any, has_units: bool):
        self.method, self.model, self.x, self.has_units = method, model, x, has_units
        self.several_inputs = False
        self._units: list[NDArray[Any]] = []

    def add(self, batch: Batch, maps: Nested) -> None:
        """Note the units of a batch, and whether there are maps of several inputs."""
        self.several_inputs = keras.tree.is_nested(maps)
        if self.has_units and batch.indices is not None:
            indices = ops.convert_to_numpy(batch.indices)[: batch.used]
            self._units.append(indices.reshape(batch.used, -1))

    def explanation(
        self,
        result: Result,
        plan: Plan,
        layers: list[str],
        network: PreparedNetwork,
        by_name: bool,
    ) -> AnyExplanation:
        """Return the explanation; its stats know the model, and the layers it shows.

        Args:
            result: Logits, maps and stats.
            plan: How inputs and units were arranged.
            layers: Names of the layers that are shown.
            network: The network that ran.
            by_name: Whether inputs were given by name, as maps are then returned.
        """
        logits, maps, *stats = self._named(result, network) if by_name else result
        model = LazyFingerprint.of(self.model)
        if stats:
            facts: dict[str, Any] = {"model": model.value}
            facts |= {"layers": layers} if layers else {}

            def told(one: Stats) -> Stats:
                known = {} if network.tells_classes(one) else {"classes": False}
                return one.with_facts(facts | known)

            stats = [map_structure(told, each) for each in stats]
        preprocess = preprocessing_of(self.method)
        known = Facts(
            method=title_of(self.method, network.model) or display_name(self.method),
            preprocessing=preprocess and display_name(preprocess),
            units=self._all_units(logits, plan),
            images=self._images(network, maps, bool(layers)),
            model=model,
            several_inputs=self.several_inputs,
            input_names=self._listed_names(network, maps),
            unit_count=self._unit_count(network, logits),
        )
        return Explanation((logits, maps, *stats), known)

    def _named(self, result: Result, network: PreparedNetwork) -> Result:
        """Return the result with maps by name, also of a model that takes a list."""
        logits, *parts = result
        names = self._listed_names(network, result[1])
        return logits, *(
            dict(zip(names, x, strict=True)) if names else x for x in parts
        )

    def _all_units(self, logits: Any, plan: Plan) -> NDArray[Any] | None:
        """Return the units (N, K); None if they are no numbers on the last axis."""
        if not self.has_units or plan.rest is not None:
            return None
        if not self._units:
            return np.broadcast_to(np.arange(logits.shape[-1]), logits.shape)
        units = np.concatenate(self._units)
        units = plan.unfolded(units) if plan.lead else units
        return units if units.shape == logits.shape else None  # Of a user's method.

    def _unit_count(self, network: PreparedNetwork, logits: Any) -> int | None:
        """Return the number of units of the model; None if it is unknown."""
        if not self.has_units:
            return None
        known = network.unit_count
        return logits.shape[-1] if known is None and not self._units else known

    def _listed_names(self, network: PreparedNetwork, maps: Any) -> tuple[str, ...]:
        """Return the names of the inputs whose maps are a list."""
        if not self.several_inputs or isinstance(maps, dict):
            return ()
        names = names_in_order(symbolic_inputs(network.target_model))
        return tuple(names) if len(names) == len(maps) else ()

    def _images(self, network: PreparedNetwork, maps: Any, of_layers: bool) -> Any:
        """Return the inputs in the structure of the maps; None if they are not known.

        Those of a data set are not, nor to which of several inputs the only map of a
        user's method belongs.
        """
        if is_stream(self.x):
            return None
        images = for_each_input(network.target_model, lambda _, part: part, self.x)
        names = names_in_order(symbolic_inputs(network.target_model))
        listed = isinstance(images, list | tuple) and len(images) == len(names)
        if isinstance(maps, dict) and listed:
            return dict(zip(names, images, strict=True))
        if self.several_inputs or not keras.tree.is_nested(images):
            return images
        if not of_layers:
            return None
        return flatten(images)[inputs_of_exposed(network.model)[0]]
