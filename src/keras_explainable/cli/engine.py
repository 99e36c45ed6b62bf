"""Where images are explained: in this process, or in those of Ray."""

import dataclasses

#: The engines, the default one first.
ENGINES = ("local", "ray")


@dataclasses.dataclass(frozen=True)
class Engine:
    """The options of ``explain`` that say who computes, checked when created.

    Attributes:
        name: One of ``ENGINES``.
        workers: The number of processes; ``None`` for the default, 2 with Ray.
        address: The address of a cluster that runs already, or ``auto`` for the one of
            this machine; ``None`` to start one here.
    """

    name: str = ENGINES[0]
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise ValueError(
                f"--engine must be one of {', '.join(ENGINES)}; received {self.name}."
            )
        for option in ("workers", "address"):
            if not self.uses_ray and getattr(self, option) is not None:
                raise ValueError(f"--{option} must be omitted without --engine ray.")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--workers must be at least 1; received {self.workers}.")

    @property
    def uses_ray(self) -> bool:
        """Return whether the images are explained in processes of Ray."""
        return self.name == "ray"


#: This process.
LOCAL = Engine()
