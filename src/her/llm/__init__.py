"""One door to any model. Engines are imported only when a name asks for one."""

from her.llm.model import ChatModel, Delta, FinishReason, Reply, Request, Score, Scorer, TokenLogprob, Usage
from her.llm.names import open_model, open_models
from her.llm.scripted import ScriptedModel, ScriptedReply

__all__ = [
    "ChatModel",
    "Delta",
    "FinishReason",
    "Reply",
    "Request",
    "Score",
    "Scorer",
    "ScriptedModel",
    "ScriptedReply",
    "TokenLogprob",
    "Usage",
    "open_model",
    "open_models",
]
