"""The transformers engine: `hf:` models, and trained ones without a GGUF adapter, as a ChatModel.

Owns loading from a local folder (or, where the hub may be asked, an id) and sampling, in fp32. torch is imported when
a model is opened, not before. One call runs at a time: torch uses all cores by itself.
"""

import asyncio
import os
import threading
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from her.errors import DeadLetterError, ModelError, ModelNameError, ReplyError
from her.llm.chatml import defuse
from her.llm.model import Delta, FinishReason, Reply, Request, TokenLogprob, Usage
from her.llm.words import ask_in_words, without_fence
from her.schema import Message


class Weights:
    """A tokenizer and a model, loaded."""

    def __init__(self, source: str, *, peft: Path | None = None) -> None:
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as e:
            raise ModelError("hf: models and scoring need torch; install it with: pip install 'her[train]'") from e
        folder = _local_or_hub(source)
        try:
            with quietly():
                self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
                model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
        except (OSError, ValueError) as e:
            first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
            raise ModelError(f"cannot load {folder}: {first}; is it a Hugging Face model folder or id?") from e
        if peft is not None:
            from peft import PeftModel

            with quietly():
                model = PeftModel.from_pretrained(model, str(peft))
        if not self.tokenizer.chat_template:
            raise ModelError(f"{folder} has no chat template: it is a base model; use an instruct model")
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = model.to(self.device).eval()
        self.end_id = int(self.tokenizer.eos_token_id)

    def prompt_ids(self, messages: Sequence[Message], prefill: str = "") -> list[int]:
        """Ids of the chat up to where the assistant speaks, and of the prefill after it, read as one text."""
        chat = [{"role": m.role, "content": defuse(m.content)} for m in messages]
        text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer.encode(text + defuse(prefill), add_special_tokens=False))

    def reply_ids(self, text: str) -> list[int]:
        """Ids of a reply with the token that ends the turn."""
        return [*self.tokenizer.encode(defuse(text), add_special_tokens=False), self.end_id]


class TorchModel:
    """A `ChatModel` on transformers. Schemas are asked for in words: this engine cannot be held to them."""

    def __init__(self, name: str, *, fingerprint: str, weights: Weights) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._weights = weights
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="torch")

    async def reply(self, request: Request) -> Reply:
        """One whole reply."""
        text: list[str] = []
        logprobs: list[TokenLogprob] = []
        last: Delta | None = None
        async for delta, token in self._deltas(request):
            text.append(delta.text)
            if token is not None:
                logprobs.append(token)
            last = delta
        if last is None or last.finish_reason is None:
            raise ReplyError(f"{self.name} stopped without saying why; run it again, it is a fault of the engine")
        whole = "".join(text)
        return Reply(
            text=without_fence(whole) if request.json_schema else whole,
            finish_reason=last.finish_reason,
            usage=last.usage,
            logprobs=tuple(logprobs) if request.top_logprobs else None,
        )

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The same reply in pieces."""
        async for delta, _ in self._deltas(request):
            if delta.text or delta.finish_reason is not None:
                yield delta

    async def close(self) -> None:
        """Let the thread go."""
        await asyncio.to_thread(self._pool.shutdown)

    async def _deltas(self, request: Request) -> AsyncIterator[tuple[Delta, TokenLogprob | None]]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[Delta, TokenLogprob | None] | None] = asyncio.Queue()
        cancelled = threading.Event()

        def work() -> None:
            try:
                for item in _generate(self._weights, request, self.name):
                    if cancelled.is_set():
                        return
                    loop.call_soon_threadsafe(queue.put_nowait, item)
            finally:
                if not cancelled.is_set():
                    loop.call_soon_threadsafe(queue.put_nowait, None)

        job = loop.run_in_executor(self._pool, work)
        try:
            while (item := await queue.get()) is not None:
                yield item
            await job
        finally:
            cancelled.set()


def _generate(weights: Weights, request: Request, name: str) -> Iterator[tuple[Delta, TokenLogprob | None]]:
    import torch

    messages = request.messages
    if request.json_schema is not None:
        messages = ask_in_words(messages, request.json_schema)
    prompt = weights.prompt_ids(messages, request.prefill)
    limit = getattr(weights.model.config, "max_position_embeddings", None)
    if limit is not None and len(prompt) + request.max_tokens > limit:
        what = f"{len(prompt)} tokens of prompt and {request.max_tokens} of reply exceed {limit}"
        raise DeadLetterError(f"{name} refused the request: {what}; shorten the prompt", reason="too_long", attempts=1)
    dice = torch.Generator(device=weights.device).manual_seed(request.sampling_seed())
    pieces = _Pieces(weights.tokenizer, request.stop)
    cache, ids = None, torch.tensor([prompt], device=weights.device)
    finish: FinishReason = "length"
    for _ in range(request.max_tokens):
        with torch.inference_mode():
            out = weights.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache, logprobs_V = out.past_key_values, torch.log_softmax(out.logits[0, -1].float(), dim=-1)
        token = _pick(logprobs_V, request, dice)
        pieces.tokens += 1
        if token == weights.end_id:
            finish = "stop"
            break
        seen = _seen(weights, logprobs_V, token, request.top_logprobs) if request.top_logprobs else None
        yield Delta(text=pieces.add(token)), seen
        if pieces.stopped:
            finish = "stop"
            break
        ids = torch.tensor([[token]], device=weights.device)
    usage = Usage(prompt_tokens=len(prompt), completion_tokens=pieces.tokens)
    yield Delta(text=pieces.rest(), finish_reason=finish, usage=usage), None


def _pick(logprobs_V: Any, request: Request, dice: Any) -> int:
    import torch

    if request.temperature == 0:
        return int(logprobs_V.argmax())
    probs_V = torch.softmax(logprobs_V / request.temperature, dim=-1)
    if request.top_p < 1:
        sorted_V, order_V = probs_V.sort(descending=True)
        sorted_V[sorted_V.cumsum(0) - sorted_V >= request.top_p] = 0
        return int(order_V[torch.multinomial(sorted_V, 1, generator=dice)])
    return int(torch.multinomial(probs_V, 1, generator=dice))


def _seen(weights: Weights, logprobs_V: Any, token: int, n: int) -> TokenLogprob:
    values, ids = logprobs_V.topk(n)
    top = tuple((weights.tokenizer.decode([int(i)]), float(v)) for v, i in zip(values, ids, strict=True))
    return TokenLogprob(token=weights.tokenizer.decode([token]), logprob=float(logprobs_V[token]), top=top)


class _Pieces:
    """Tokens to text that may be shown: never half a character, never part of a stop string."""

    def __init__(self, tokenizer: Any, stop: tuple[str, ...]) -> None:
        self._tokenizer = tokenizer
        self._stop = stop
        self._ids: list[int] = []
        self._shown = 0
        self._text = ""
        self.tokens = 0
        self.stopped = False

    def add(self, token: int) -> str:
        self._ids.append(token)
        self._text = self._tokenizer.decode(self._ids)
        cuts = [at for s in self._stop if (at := self._text.find(s, max(0, self._shown - len(s)))) >= 0]
        if cuts:
            self.stopped = True
            self._text = self._text[: min(cuts)]
            return self.rest()
        end = len(self._text.rstrip("\ufffd"))
        held = max((n for s in self._stop for n in range(1, len(s)) if self._text[:end].endswith(s[:n])), default=0)
        return self._show(end - held)

    def rest(self) -> str:
        return self._show(len(self._text.rstrip("\ufffd")))

    def _show(self, end: int) -> str:
        piece = self._text[self._shown : end]
        self._shown = max(self._shown, end)
        return piece


@contextmanager
def quietly() -> Iterator[None]:
    """Load without a progress bar, and without the warning that peft draws from transformers for an old name of its."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
            yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]


def _local_or_hub(source: str) -> str:
    path = Path(source).expanduser()
    if path.is_dir():
        return str(path)
    looks_like_a_path = path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if looks_like_a_path or path.exists():
        raise ModelNameError(f"hf:{source}: no such folder; check the path")
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        from huggingface_hub import try_to_load_from_cache

        if not isinstance(try_to_load_from_cache(source, "config.json"), str):
            raise ModelNameError(
                f"hf:{source} is neither a folder nor in the hub's cache, and HF_HUB_OFFLINE forbids asking the hub; "
                "give a folder, or unset HF_HUB_OFFLINE"
            )
    return source


def hub_folder(source: str) -> Path:
    """The folder of a model on the hub, fetched where that is allowed."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    _local_or_hub(source)
    try:
        return Path(
            snapshot_download(source, allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"])
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as e:
        raise ModelError(f"hf:{source} could not be fetched: {type(e).__name__}; check the id and the network") from e
