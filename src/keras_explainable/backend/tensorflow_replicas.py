"""Steps that the replicas of a ``tf.distribute.MirroredStrategy`` share."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_explainable.common.structures import map_structure


def strategy_of(model: Any) -> tf.distribute.MirroredStrategy | None:
    """Return the strategy that mirrors a model's variables on several devices."""
    for variable in getattr(model, "variables", ()):
        strategy = getattr(variable.value, "distribute_strategy", None)
        if isinstance(strategy, tf.distribute.MirroredStrategy):
            return strategy if strategy.num_replicas_in_sync > 1 else None
    return None


def on_replicas(
    function: Callable[..., Any],
    divide: Callable[[Any, int], Any],
    join: Callable[..., Any],
    strategy: tf.distribute.MirroredStrategy,
) -> Callable[..., Any]:
    # Call it only while compiling, as replicas wait for each other otherwise.
    def run(*tensors: Any) -> Any:
        shares = divide(tensors, strategy.num_replicas_in_sync)
        if shares is None:
            return function(*tensors)

        def run_share() -> Any:
            context = tf.distribute.get_replica_context()
            number = tf.get_static_value(context.replica_id_in_sync_group)
            return function(*shares[number])

        results = strategy.run(tf.autograph.experimental.do_not_convert(run_share))
        numbers = range(len(shares))
        return join(tensors, *(_result_of(n, results, strategy) for n in numbers))

    return run


def _result_of(
    number: int, results: Any, strategy: tf.distribute.MirroredStrategy
) -> Any:
    """Return the results of one replica, in the structure in which it returned them."""
    local = strategy.experimental_local_results
    return map_structure(lambda x: None if x is None else local(x)[number], results)
