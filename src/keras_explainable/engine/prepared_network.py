"""The network that runs in place of the user's model."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from keras_explainable import lowering
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.engine.batch_source import Batch
from keras_explainable.execution.model_preparation import (
    does_take_tokens,
    prepared_model,
    preprocessing_of,
)
from keras_explainable.inspection import (
    channels_last_model,
    embedded_model,
    logits_model,
    runnable_model,
)
from keras_explainable.inspection.channels import input_orders
from keras_explainable.inspection.corrected_subclass import corrected_subclass
from keras_explainable.inspection.logits import logits_of_all_outputs, rewritten_model
from keras_explainable.inspection.one_output import first_output_model
from keras_explainable.inspection.stateful_subclass import run_by_states
from keras_explainable.inspection.target_layer import own_errors
from keras_explainable.inspection.targeted_model import (
    set_data,
    target_layer,
    targeted_model,
)
from keras_explainable.inspection.top_units import top_count, top_units
from keras_explainable.inspection.wrapped_model import required_rows_of
from keras_explainable.network import output_units
from keras_explainable.network.corrected_derivatives import (
    with_corrected_derivatives,
    with_framework_derivatives,
)
from keras_explainable.network.model_inputs import check_preprocessed, symbolic_inputs
from keras_explainable.network.user_form import UserForm, in_user_form
from keras_explainable.sampling.stats import Stats
from keras_explainable.targets.target import Target
from keras_explainable.types import Method, Model


class PreparedNetwork:
    """The user's model in the form in which a method runs it.

    Attributes:
        target_model: Takes the user's inputs and returns what is explained.
        model: The same as the method wants it; it takes vectors in place of tokens, and
            images with the channels last.
        lowered: A faster copy of ``model``, used once both agree on a batch.
        required_rows: Number of rows that the model needs; None for any number.
        target: What to explain if it is a function.
        top: Number of largest units to explain; 0 if ``y`` says which.
        unit_count: Number of units; None as long as it is unknown.
    """

    def __init__(
        self,
        model: Model,
        y: Any,
        target: Target | None,
        method: Method,
        params: Mapping[str, Any],
        *,
        logits: bool | None,
        lower: bool,
        precision: str,
        derivatives: str,
    ):
        self.target = target
        # Layers of other outputs may be asked for by their names.
        base = (
            model if target or "logits_layer" in params else first_output_model(model)
        )
        self.target_model = _explained_model(
            base, target, logits is not False, derivatives
        )
        self.unit_count = output_units.count_units(self.target_model)
        has_end = target is None and logits is not False
        self.are_logits = has_end and logits_model(base) is not base
        self.top = top_count(y)
        moved, self._move = channels_last_model(self.target_model)
        own_layers = not does_take_tokens(method)
        embedded, self._look_up = embedded_model(moved, own_layers)
        self._form = _user_form(self.target_model, moved, embedded)
        self._preprocess = preprocessing_of(method)
        self.model = prepared_model(method, embedded, dict(params))
        self.lowered = lowering.lower(self.model, precision) if lower else self.model
        self.required_rows = required_rows_of(self.model)
        self._verified: Model = None  # Known from the first batch on.

    def tells_classes(self, stats: Stats) -> bool:
        """Return whether the outputs tell which class was predicted.

        The values of targets do not; nor does a single number between 0 and 1, which
        may be a logit or a probability, unless a sigmoid has been taken off.
        """
        if self.target is not None:
            return False
        within = (stats.logits >= 0) & (stats.logits <= 1)
        return self.are_logits or not (stats.facts.get("single") and within.all())

    def errors(self) -> AbstractContextManager[None]:
        """Return a context in which errors of the user's function for ``y`` stand out.

        They are raised as its own, not as those of a layer.
        """
        if self.target is None:
            return nullcontext()
        return own_errors(target_layer(self.target_model))

    def in_user_form(self) -> AbstractContextManager[None]:
        """Return a context in which the method's parameters are in the user's form."""
        return in_user_form(self._form)

    def ready(self, batch: Batch, rows: int) -> tuple[Model, Batch]:
        """Return the network to run, and the batch in the form that it takes.

        Args:
            batch: Inputs in the user's form.
            rows: The most rows that go through the network at once.
        """
        if self.target and self.target.data:
            set_data(self.target_model, self.target.rows_of(batch.position))
        inputs = self._look_up(self._move(batch.inputs))
        indices = batch.indices
        if self._verified is None:
            check_preprocessed(self.model, self._seen(inputs))
            self._verified = lowering.checked_copy(
                self.lowered, self.model, inputs, rows
            )
        if self.top:
            seen = self._seen(inputs)
            outputs = output_units.forward(self._verified, seen, rows)
            indices, self.unit_count = top_units(outputs, self.top), outputs.shape[-1]
        return self._verified, batch._replace(inputs=inputs, indices=indices)

    def _seen(self, inputs: Nested) -> Nested:
        """Return the network's inputs as it sees them, after the preprocessing."""
        if self._preprocess is None:
            return inputs
        with self.in_user_form():
            return self._preprocess(inputs)


def _user_form(model: Model, moved: Model, embedded: Model) -> UserForm | None:
    """Return the form of the inputs of ``model``; None if ``embedded`` takes them."""
    if embedded is model:
        return None
    shapes = tuple(tuple(x.shape) for x in flatten(symbolic_inputs(model)))
    return UserForm(shapes, tuple(input_orders(model)), embedded is not moved)


def _explained_model(
    model: Model, target: Target | None, logits: bool, derivatives: str
) -> Model:
    """Return the model of what is explained: a target, or else the first output."""
    if target is None:
        base = logits_model(model) if logits else runnable_model(model)
        return _with_derivatives(base, derivatives)
    viewed = target.view(model)
    base = (logits_of_all_outputs if target.logits else runnable_model)(viewed)
    base = _with_derivatives(base, derivatives)
    return targeted_model(base, target.function, like=viewed, data=target.data)


def _with_derivatives(model: Model, derivatives: str) -> Model:
    """Return the model with one of ``DERIVATIVES``."""
    if derivatives == "framework":
        return run_by_states(rewritten_model(model, with_framework_derivatives))
    corrected = rewritten_model(model, with_corrected_derivatives)
    return run_by_states(corrected_subclass(corrected))
