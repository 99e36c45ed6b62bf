"""Compare methods: scores of their maps, with error bars.

``ke.evaluate`` explains images with each method, scores the maps with each metric, and
returns an ``Evaluation``. It is above metrics and plotting, and uses both.
"""
