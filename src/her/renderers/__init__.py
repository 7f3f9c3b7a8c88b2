"""Record to text to tokens and back. The only room that knows a tag."""

from her.renderers.coser import read_coser, render_coser
from her.renderers.display import render_display
from her.renderers.judging import judge_messages, read_verdict, render_verdict, verdict_schema
from her.renderers.layouts import LayoutStats, layout_stats
from her.renderers.machine import Repair
from her.renderers.roleplay import CONVERSATION_START, chat, system_prompt
from her.renderers.stream import Piece, StreamReader
from her.renderers.tags import Reading, read_lenient, read_strict, render_turn
from her.renderers.template import prompt_hashes
from her.renderers.tokens import Encoded, Tokenizer, TooLong, encode, prompt_ids
from her.renderers.wellformed import Form, check, foreign_names

__all__ = [
    "CONVERSATION_START",
    "Encoded",
    "Form",
    "LayoutStats",
    "Piece",
    "Reading",
    "Repair",
    "StreamReader",
    "Tokenizer",
    "TooLong",
    "chat",
    "check",
    "encode",
    "foreign_names",
    "judge_messages",
    "layout_stats",
    "prompt_hashes",
    "prompt_ids",
    "read_coser",
    "read_lenient",
    "read_strict",
    "read_verdict",
    "render_coser",
    "render_display",
    "render_turn",
    "render_verdict",
    "system_prompt",
    "verdict_schema",
]
