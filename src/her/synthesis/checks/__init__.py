"""Checks of a two-layer dialogue: what in it should not be there, by kind, turn and layer.

A file a kind of fault, each a pure function from a `Standpoint` (one turn, and what its speaker could know) to the
flags it found there; English is read first, Chinese where a rule can be said for it. `checker` runs them all,
`second_reader` asks a model for what rules miss, and `labelled` measures both on cases of our own.
"""
