"""Measurements of speed, memory and accuracy; README.md says which script does what."""
