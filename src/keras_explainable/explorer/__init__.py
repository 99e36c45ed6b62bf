"""The explorer: a page on which a map sharpens while one looks.

`session` computes: it goes on from running sums that it keeps, so that a setting that
was seen costs nothing. `page_jobs` answers the messages of a page. Two homes carry
these messages: `server` serves the page in `static/` to this machine alone, for images
and models that the command reads; `widget` shows the same page in a notebook, for those
that `explore` is given.
"""
