"""Rewrites conversations that a chat template cannot render. Pure functions on the messages that
mlx_vlm passes to a template; `chat_template.py` decides when to use them.

- Restructuring: adjacent messages of one role are merged, the system prompt moves into the first
  user message, ids of tool calls become nine letters and digits (required by Mistral's templates).
- Tools as text: functions are described in a system message, calls and results become text, in the
  format of mlx_vlm's `json_tools` parser.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

Message = dict[str, Any]
BREAK = "\n\n"

OFFER = """\
You may call one or more functions to help with the request. They are described within \
<tools></tools>, their arguments by JSON Schema:
<tools>
{tools}
</tools>

To call a function, answer with its name and its arguments as a JSON object within \
<tool_call></tool_call>, once for each call:
<tool_call>
{{"name": "the name of the function", "arguments": {{"the name of an argument": "its value"}}}}
</tool_call>
The results follow within <tool_response></tool_response>."""


# -- restructuring


def fitting(messages: list[Message]) -> Iterator[list[Message]]:
    """Equivalent forms of a conversation, those with the fewest changes first."""
    tried = [messages]
    for count in range(1, len(STEPS) + 1):
        for steps in combinations(STEPS, count):
            fitted = messages
            for step in steps:
                fitted = step(fitted)
            if fitted not in tried:
                tried.append(fitted)
                yield fitted


def short_ids(messages: list[Message]) -> list[Message]:
    def short(text: Any) -> str:
        return hashlib.sha256(str(text).encode()).hexdigest()[:9]

    def with_short_ids(message: Message) -> Message:
        changed = dict(message)
        if calls := message.get("tool_calls"):
            changed["tool_calls"] = [{**call, "id": short(call.get("id"))} for call in calls]
        if "tool_call_id" in message:
            changed["tool_call_id"] = short(message["tool_call_id"])
        return changed

    return [with_short_ids(message) for message in messages]


def system_in_first_user(messages: list[Message]) -> list[Message]:
    """Prepends the system prompt to the first user message, or makes it one if there is none."""
    systems = [message for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    if not systems:
        return messages
    content: Any = ""
    for system in systems:
        content = joined(content, system.get("content"))
    first = next((at for at, each in enumerate(rest) if each["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": content}, *rest]
    text = rest[first].get("content")
    if text and "text" not in as_parts(text)[0]:
        content += BREAK  # an image follows
    user = {**rest[first], "content": joined(content, text)}
    return [*rest[:first], user, *rest[first + 1 :]]


def merge_neighbours(messages: list[Message]) -> list[Message]:
    merged: list[Message] = []
    for message in messages:
        last = merged[-1] if merged else None
        if last is not None and may_merge(last, message):
            merged[-1] = merge(last, message)
        else:
            merged.append(message)
    return merged


def may_merge(first: Message, second: Message) -> bool:
    """Tool results stay separate, and text must not move in front of an earlier call."""
    if first["role"] != second["role"] or first["role"] == "tool":
        return False
    return not first.get("tool_calls") or not second.get("content")


def merge(first: Message, second: Message) -> Message:
    merged = {**first, "content": joined(first.get("content"), second.get("content"))}
    if second.get("name") != first.get("name"):
        merged.pop("name", None)
    if calls := [*(first.get("tool_calls") or []), *(second.get("tool_calls") or [])]:
        merged["tool_calls"] = calls
    for field in ("reasoning_content", "reasoning"):
        if thoughts := [each[field] for each in (first, second) if each.get(field)]:
            merged[field] = BREAK.join(thoughts)
    return merged


def joined(first: Any, second: Any) -> Any:
    """Concatenates two contents: texts as paragraphs, with images in their order."""
    if not first or not second:
        return first or second or ""
    if isinstance(first, str) and isinstance(second, str):
        return first + BREAK + second
    head, tail = as_parts(first), as_parts(second)
    if "text" in head[-1] and "text" in tail[0]:
        text = head[-1]["text"] + BREAK + tail[0]["text"]
        return [*head[:-1], {"type": "text", "text": text}, *tail[1:]]
    return [*head, *tail]


def as_parts(content: Any) -> list[Message]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


STEPS: tuple[Callable[[list[Message]], list[Message]], ...] = (
    short_ids,
    merge_neighbours,
    system_in_first_user,
    # The moved system prompt may now be adjacent to another user message.
    lambda messages: merge_neighbours(system_in_first_user(messages)),
)


# -- tools as text


def with_offer(messages: list[Message], tools: list[Any]) -> list[Message]:
    """Adds a description of the functions to the system message."""
    lines = "\n".join(json.dumps(to_plain(tool), ensure_ascii=False) for tool in tools)
    offer = OFFER.format(tools=lines)
    if messages and messages[0]["role"] == "system":
        first = messages[0]
        return [{**first, "content": joined(first.get("content"), offer)}, *messages[1:]]
    return [{"role": "system", "content": offer}, *messages]


def with_calls_as_text(messages: list[Message]) -> list[Message]:
    """Turns calls into text of their message, and results into user messages."""
    return [call_as_text(message) for message in messages]


def call_as_text(message: Message) -> Message:
    if message["role"] == "tool":
        text = as_text(message.get("content"))
        return {"role": "user", "content": f"<tool_response>\n{text}\n</tool_response>"}
    calls = message.get("tool_calls")
    if not calls:
        return message
    texts = [as_text(message.get("content"))]
    for call in calls:
        function = call.get("function") or {}
        shown = {"name": function.get("name"), "arguments": function.get("arguments")}
        texts.append(f"<tool_call>\n{json.dumps(shown, ensure_ascii=False)}\n</tool_call>")
    rest = {key: value for key, value in message.items() if key != "tool_calls"}
    return {**rest, "content": "\n".join(text for text in texts if text)}


def as_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return BREAK.join(str(part.get("text")) for part in content or [] if part.get("text"))


def to_plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value
