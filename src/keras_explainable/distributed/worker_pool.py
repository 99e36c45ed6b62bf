"""Processes of Ray that each load a model once and share a data set."""

import math
from dataclasses import dataclass
from typing import Any

import keras

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.common.warnings import warn


@dataclass(frozen=True)
class WorkerPool:
    """The number of processes and what each of them has.

    Attributes:
        workers: Number of processes.
        batch_size: Rows of the data set that a process is given at once.
        num_cpus: CPUs of each; by default 1, or 0 for a process with GPUs.
        num_gpus: GPUs of each.
    """

    workers: int
    batch_size: int
    num_cpus: float | None = None
    num_gpus: float | None = None

    def __post_init__(self) -> None:
        checks.integer("workers", self.workers, 1)
        checks.integer("batch_size", self.batch_size, 1)
        for name in ("num_cpus", "num_gpus"):
            if getattr(self, name) is not None:
                checks.number(name, getattr(self, name), 0)

    def map(self, worker: type, args: tuple[Any, ...], dataset: Any) -> Any:
        """Return the data set of what ``worker(*args)`` makes of each batch."""
        data = require("ray.data", "ray")
        self._warn_of_waiting()
        resources = {"num_cpus": self._cpus, "num_gpus": self.num_gpus}
        # A process is given whole blocks, which may hold thousands of rows.
        blocks = dataset.repartition(target_num_rows_per_block=self.batch_size)
        return blocks.map_batches(
            worker,
            fn_constructor_args=args,
            batch_size=self.batch_size,
            batch_format="numpy",
            compute=data.ActorPoolStrategy(size=self.workers),
            runtime_env=self.environment,
            **{name: value for name, value in resources.items() if value is not None},
        )

    def _warn_of_waiting(self) -> None:
        """Warn if the processes leave no CPU to read the data, and would wait."""
        ray = require("ray", "ray")
        needed, found = self.workers * (self._cpus or 0), 0.0
        if ray.is_initialized():
            found = ray.cluster_resources().get("CPU", 0.0)
        if found and needed > found - 1:
            warn(
                f"Reading needs one CPU besides the {needed:g} of the workers; Ray has "
                f"{found:g}, and waits for more. Use fewer workers, or, on a single "
                f"machine, `ray.init(num_cpus={math.ceil(needed) + 1})`."
            )

    @property
    def _cpus(self) -> float | None:
        # Ray lets GPUs alone decide where they are given.
        return self.num_cpus or (None if self.num_gpus else 1)

    @property
    def environment(self) -> dict[str, Any]:
        """Ray's environment in which processes compute as this one does.

        Each has the threads of its CPUs, so that they do not fight for the cores.
        """
        threads = str(max(int(self._cpus or 1), 1))
        names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
        own = {"KERAS_BACKEND": keras.backend.backend()}
        return {"env_vars": own | dict.fromkeys(names, threads)}
