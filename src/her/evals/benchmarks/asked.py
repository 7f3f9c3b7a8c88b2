"""Asked: one question to one model and what came back, a reply or the reason why there is none.

Owns the one place where an exam calls a model. A request that was given up (`DeadLetterError`) or answered with
nonsense (`ReplyError`) is a `Lost` with a reason; an endpoint that is down or a budget that is spent is no property of
the item, so those errors rise and the run stops, to be resumed. Asking again is for judges: an examinee is asked once.
"""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from her.errors import DeadLetterError, ReplyError
from her.llm.model import ChatModel, FinishReason, Request
from her.schema import Record

R = TypeVar("R")

_NEXT_TRY = 10_007
"""Added to the sample index of each further try: no benchmark takes so many samples of one prompt."""


class Response(Record):
    """A reply. Hidden layers are in it: it is for records and readers of records, never for another character."""

    kind: Literal["response"] = "response"
    text: str
    reasoning: str | None
    """What the endpoint returned apart from the text."""
    finish_reason: FinishReason
    prompt_tokens: int | None
    completion_tokens: int | None
    """None where the engine did not count."""


class Lost(Record):
    """No reply."""

    kind: Literal["lost"] = "lost"
    reason: str
    """`dead_letter:spent`, `no_reply` and the like: the name under which it is counted."""


Returned = Annotated[Response | Lost, Field(discriminator="kind")]


class Asked(Record):
    """One question of an item."""

    key: str
    """Names the question within its item: `answer`, `turn-3`, `Story Quality`."""
    role: str
    """Who was asked: `player`, `user`, `environment`, `next_speaker` or `judge`."""
    returned: Returned
    """Of the last try."""
    tries: int


async def ask(model: ChatModel, request: Request) -> Response | Lost:
    """One call. An endpoint that is down, a spent budget and a wrong name are raised."""
    try:
        reply = await model.reply(request)
    except DeadLetterError as e:
        return Lost(reason=f"dead_letter:{e.reason}")
    except ReplyError:
        return Lost(reason="no_reply")
    usage = reply.usage
    return Response(
        text=reply.text,
        reasoning=reply.reasoning,
        finish_reason=reply.finish_reason,
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
    )


async def ask_once(model: ChatModel, request: Request, *, key: str, role: str) -> Asked:
    """A question to whoever is examined or plays along."""
    return Asked(key=key, role=role, returned=await ask(model, request), tries=1)


async def ask_judge(
    model: ChatModel,
    request: Request,
    *,
    key: str,
    readable: Callable[[Response], bool],
    tries: int = 3,
    again_at: float = 0.7,
) -> Asked:
    """A question to a judge, asked again until its answer is `readable`, at most `tries` times.

    The first try is at the request's own temperature, further ones at `again_at` and another sample index: a
    deterministic judge would repeat itself. A dead letter is not tried again; the model's own retries are spent.
    """
    returned: Response | Lost = Lost(reason="not_asked")
    for number in range(tries):
        changes = {"sample_index": request.sample_index + number * _NEXT_TRY, "temperature": again_at}
        returned = await ask(model, request.model_copy(update=changes) if number else request)
        if (isinstance(returned, Response) and readable(returned)) or (
            isinstance(returned, Lost) and returned.reason != "no_reply"
        ):
            return Asked(key=key, role="judge", returned=returned, tries=number + 1)
    return Asked(key=key, role="judge", returned=returned, tries=tries)
