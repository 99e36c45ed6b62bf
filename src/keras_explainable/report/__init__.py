"""The output of a run for people and programs: a web page, PNG panels and data files.

In come ``Explanation`` records, one per image, each with the image, the predictions
and the maps; out goes a folder with ``index.html``, ``panels/``, ``maps.npz`` and
``manifest.json``. A report grows one image at a time, with memory for one, and an
unfinished one can be resumed. Nothing here knows the network or computes a map:
everything shown comes with the records.
"""
