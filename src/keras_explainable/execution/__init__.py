"""Running functions of models: compiled once, in chunks of rows, within memory.

It receives a function, a model and tensors, and returns what the function returns. A
step is compiled once for each function, model and shape, and cached while the model
lives; when memory runs out, it continues with fewer rows at once. It knows nothing of
what a function computes, of graphs of operations, or of noise.
"""
