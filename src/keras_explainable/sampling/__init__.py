"""Monte Carlo sampling: noise, draws, the loop over copies, moments, standard errors.

It receives a method, a model, inputs and sampling parameters. It runs the method on
perturbed copies of the inputs in chunks of one size, and returns running means of the
maps with `Stats`, their uncertainty, which can be saved, continued and merged. It knows
nothing of particular methods or of data sets.
"""
