"""The number of repetitions and the seed that all packages receive."""

REPETITIONS = 6
SEED = 3
