"""The orientation of a metric: which of two scores is the better one."""

from collections.abc import Callable
from typing import Any, TypeVar

Metric = TypeVar("Metric", bound=Callable[..., Any])


def higher_is_better(metric: Metric) -> Metric:
    """Mark a metric, in its attribute ``higher_is_better``, as one to maximise."""
    metric.higher_is_better = True  # type: ignore[attr-defined]
    return metric


def lower_is_better(metric: Metric) -> Metric:
    """Mark a metric, in its attribute ``higher_is_better``, as one to minimise."""
    metric.higher_is_better = False  # type: ignore[attr-defined]
    return metric
