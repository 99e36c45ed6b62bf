"""How methods are run over data: batches, progress, postprocessing."""
