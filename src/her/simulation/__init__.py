"""Plays scenes: an actor for one character's turn, and the stage on which several meet."""

from her.simulation.actor import Actor, Spoken

__all__ = ["Actor", "Spoken"]
