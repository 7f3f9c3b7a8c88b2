"""A JSON schema asked for in words, for engines that cannot be held to it."""

from her.schema import Message


def ask_in_words(messages: tuple[Message, ...], json_schema: str) -> tuple[Message, ...]:
    """The chat with the schema added to its last message of the user, or as one where the user says nothing."""
    ask = f"Answer with one JSON value only, without a code fence. It must match this JSON Schema:\n{json_schema}"
    for i in reversed(range(len(messages))):
        if messages[i].role == "user":
            asked = Message(role="user", content=f"{messages[i].content}\n\n{ask}")
            return (*messages[:i], asked, *messages[i + 1 :])
    return (*messages, Message(role="user", content=ask))


def without_fence(text: str) -> str:
    """The inside of a reply that is one fenced block; any other reply as it is."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```") and body.count("```") == 2 and "\n" in body:
        return body[body.index("\n") + 1 : -3].strip()
    return text
