"""Small helpers that every other package may use.

They check arguments, walk nested structures of tensors, resize maps, format tables,
warn at the user's own line, and find out which backend is installed and how much
memory is free. They receive plain values and return plain values, and know nothing
of models, methods or the backend's own API.
"""
