"""``ke.Explanation``: logits and maps with what they belong to, to be shown and kept.

``explanation`` has the class. The other modules do what its methods ask for: they know
the results and their ``Facts``, but not the class.
"""
