"""Plays scenes: an actor for one character's turn, and the stage on which several meet."""

from her.simulation.actor import Actor, Spoken
from her.simulation.environment import Environment
from her.simulation.next_speaker import Call, NextSpeaker
from her.simulation.play import Move, Played, play

__all__ = ["Actor", "Call", "Environment", "Move", "NextSpeaker", "Played", "Spoken", "play"]
