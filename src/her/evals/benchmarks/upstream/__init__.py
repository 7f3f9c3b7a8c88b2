"""The records that each benchmark publishes, field by field, and nothing more: no scoring, no prompt.

Our mini-sets are written in the same records, so that one loader serves both.
"""
