"""Adapters: files that a bigger engine loads in its own environment. Nothing of `her` imports them, nor they it."""
