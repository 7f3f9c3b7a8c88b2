"""Checks of a two-layer dialogue, one file a kind of fault. Pure rules: no model, no randomness, no I/O.

Each kind is a function from a `Standpoint` (one turn, and what its speaker could know) to the flags it found there.
`checker` runs them all. English is read first, Chinese where a rule can be said for it.
"""
