"""The explorer: a page on which a map sharpens while one looks.

`session` computes: it goes on from running sums that it keeps, so that a setting that
was seen costs nothing. `server` serves the page in `static/` to this machine alone, and
streams maps to it. What reads images and models is given to them by the command.
"""
