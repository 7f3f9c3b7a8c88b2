"""vLLM's reasoning parser `her`. Loaded by vLLM by path; needs `her` in vLLM's environment, and is copied by exports.

vllm serve MODEL --reasoning-parser her --reasoning-parser-plugin her_reasoning.py
"""

from vllm.reasoning import ReasoningParser, ReasoningParserManager  # type: ignore[import-not-found, unused-ignore]

from her.serve.reasoning_parser import parser_class

try:
    from vllm.entrypoints.openai.engine.protocol import (  # type: ignore[import-not-found, unused-ignore]
        DeltaMessage,
    )
except ImportError:  # where it was until early 2026
    from vllm.entrypoints.openai.protocol import DeltaMessage  # type: ignore[import-not-found, unused-ignore]

ReasoningParserManager.register_module("her")(parser_class(ReasoningParser, DeltaMessage))
