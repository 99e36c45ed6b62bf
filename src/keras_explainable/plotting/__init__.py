"""Pictures of images and maps: colour maps, overlays, grids of panels, noise sweeps.

In come images and maps as arrays, tensors or PIL images; out goes a picture, written to
a file or shown in a notebook or window (``visualize``), or 8-bit RGB arrays for others
to draw (``colormaps``). Only ``noise_sweep`` computes maps, by calling ``smoothgrad``;
the other modules know nothing of models and methods. matplotlib and Pillow are
imported when something is drawn, for the library works without them.
"""
