"""One door to any model. Engines are imported only when a name asks for one."""

from her.llm.budget import Budget
from her.llm.ledger import DeadLetter, Ledger, Tally
from her.llm.ledger_model import LedgerModel
from her.llm.ledger_scorer import LedgerScorer
from her.llm.model import ChatModel, Delta, FinishReason, Reply, Request, Score, ScoreItem, Scorer, TokenLogprob, Usage
from her.llm.names import ModelCard, describe, fingerprint, open_model, open_models, open_scorer, weights
from her.llm.scripted import ScriptedModel, ScriptedReply
from her.llm.trained import Trained, TrainedCard, load_trained, save_card

__all__ = [
    "Budget",
    "ChatModel",
    "DeadLetter",
    "Delta",
    "FinishReason",
    "Ledger",
    "LedgerModel",
    "LedgerScorer",
    "ModelCard",
    "Reply",
    "Request",
    "Score",
    "ScoreItem",
    "Scorer",
    "ScriptedModel",
    "ScriptedReply",
    "Tally",
    "TokenLogprob",
    "Trained",
    "TrainedCard",
    "Usage",
    "describe",
    "fingerprint",
    "load_trained",
    "open_model",
    "open_models",
    "open_scorer",
    "save_card",
    "weights",
]
