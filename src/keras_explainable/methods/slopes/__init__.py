"""The mean slopes of a network's nonlinearities under noise, and the maps they give.

A model whose layers are known, inputs and their noisy copies come in; maps and
estimates of their errors go out. While the copies run, statistics of what the
nonlinearities read are recorded (`record_statistics`). The mean slopes that they give
make the network linear (`linearized_network`), and its gradient is combined with those
of the copies (`combine_by_error`). Nothing here knows the methods that use it, or how
data are batched.
"""
