"""A Keras model as a graph of operations, with its inputs and output units.

It receives Keras models, or anything callable like one, and users' inputs and units;
it returns checked tensors, and graphs whose steps other packages rewrite and run. It
never changes a model: layers are the user's own or shallow copies. It knows nothing of
methods, noise, or why a graph is rewritten.
"""
