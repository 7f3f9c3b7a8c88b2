"""Engines that run a model. Each module is imported only when a name asks for it: they are heavy."""
