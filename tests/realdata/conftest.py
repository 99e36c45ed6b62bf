"""How JAX compiles networks in full size."""

import keras
import pytest


@pytest.fixture(autouse=True, scope="module")
def _compiled_with_optimizations():
    """Elsewhere JAX compiles without; here it computes far longer than it compiles."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
