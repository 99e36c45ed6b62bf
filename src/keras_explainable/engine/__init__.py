"""Run a method over data.

In come a method, a model and data; out come logits, maps and their uncertainty, as
NumPy arrays. ``explain`` leads data one way: a source of batches, the network
prepared for the method, the method itself, postprocessing, and the joined results.
The shortcuts are ``explain`` with a method and its usual postprocessing. What any
method computes, and how results are drawn or stored, is not known here.
"""
