"""How many repetitions, and which seed, all packages are given."""

REPETITIONS = 6
SEED = 3
