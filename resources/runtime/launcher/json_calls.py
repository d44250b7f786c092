"""Tool calls whose arguments are JSON: those of most models, and of Mistral, Harmony and Kimi."""

import json
import re
from typing import Any

from mlx_vlm.tools import streaming

from launcher.call_json import InsideValueError, load, only_brackets, scan, strict_json, to_json
from launcher.written_calls import CallFormat, Prepared, ReadOptions

BRACKETS = " \r\n\t,}]"
"""What may yet turn out to be too much, or the end."""
JSON_FORMATS = ("json_tools", "cohere2_moe", "mistral", "harmony", "kimi_k2")

NAME_KEYS = ("name", "tool_name", "function_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input")
OTHER_KEYS = ("type", "id", "index", "tool_call_id", "call_id", "function")
"""What else may stand beside them."""


def call_of(value: Any) -> tuple[str, Any]:
    """Name and arguments of a call as JSON, whichever of the usual keys hold them."""
    if not isinstance(value, dict):
        raise ValueError("It is not an object.")
    inner = value.get("function")
    if isinstance(inner, dict):
        return call_of(inner)
    names = [value[key] for key in NAME_KEYS if key in value]
    if not names and isinstance(inner, str):
        names = [inner]
    given = [value[key] for key in ARGUMENT_KEYS if key in value]
    if len(names) != 1 or len(given) > 1:
        raise ValueError("It has no name, or arguments twice.")
    if not given and not value.keys() <= {*NAME_KEYS, *OTHER_KEYS}:
        raise ValueError("Its arguments have no key of their own.")
    arguments = given[0] if given else {}
    if isinstance(arguments, str) and arguments.strip():
        arguments = strict_json(arguments)
    if arguments in (None, ""):
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError("The arguments are not an object.")
    return names[0], arguments


def prepare_json(body: str, options: ReadOptions) -> Prepared:
    values: list[Any] = []
    rest = body
    while True:
        value, rest = load(rest, repair=options.repair)
        values += value if isinstance(value, list) else [value]
        # Several calls between one pair of markers, as lines or with commas.
        further = re.match(r"\s*[,;]?\s*(?=\{)", rest)
        if not options.repair or further is None:
            break
        rest = rest[further.end() :]
    if not only_brackets(rest) or (rest.strip() and not options.repair):
        raise ValueError("There is text after the call.")
    return [_as_json_calls(values, options.call_format)], None, ""


def _as_json_calls(value: Any, call_format: CallFormat) -> str:
    name_key, arguments_key = "name", "arguments"
    if call_format.name == "cohere2_moe":
        name_key, arguments_key = "tool_name", "parameters"
    calls = [call_of(call) for call in (value if isinstance(value, list) else [value])]
    text = to_json([{name_key: name, arguments_key: given} for name, given in calls])
    # Cohere's parser changes a backslash before a bar.
    return text.replace("|", "\\u007c") if call_format.name == "cohere2_moe" else text


MISTRAL_HEAD = re.compile(r"\s*([\w.:/-]+)(?:\[CALL_ID\][\w-]+)?\s*(?:\[ARGS\])?\s*(?=\{|$)")


def prepare_mistral(body: str, options: ReadOptions) -> Prepared:
    head = MISTRAL_HEAD.match(body)
    if head is None:
        value, rest = load(body, repair=options.repair)
        return [_as_json_calls(value, options.call_format)], None, _rest(rest, options)
    if head.end() == len(body):
        if not (options.repair and "[ARGS]" in body):
            raise ValueError("It has no arguments.")
        arguments, rest = {}, ""
    else:
        arguments, rest = load(body[head.end() :], repair=options.repair)
    call = {"name": head[1], "arguments": arguments}
    return [_as_json_calls(call, options.call_format)], None, _rest(rest, options)


def _rest(rest: str, options: ReadOptions) -> str:
    return "" if options.repair and only_brackets(rest) else rest


HARMONY_HEAD = re.compile(r"\s*(?:functions\.)?[\w.:/-]+\s*(?:(?:<\|constrain\|>)?\s*\w+)?\s*")


def prepare_harmony(body: str, options: ReadOptions) -> Prepared:
    header, separator, payload = body.partition("<|message|>")
    if not HARMONY_HEAD.fullmatch(header):
        raise ValueError("It is not a call.")
    if not separator and not options.closed:
        raise ValueError("It has no arguments.")
    if payload.strip():
        value, rest = load(payload, repair=options.repair)
        if not isinstance(value, dict) or not only_brackets(rest):
            raise ValueError("The arguments are not an object.")
        payload = to_json(value)
    return [f"{header}<|message|>{payload}"], None, ""


KIMI_CALL = re.compile(
    r"\s*(?:<\|tool_call_begin\|>)?\s*(?:functions\.)?([\w./-]+)(?::(\d+))?\s*"
    r"<\|tool_call_argument_begin\|>"
)
KIMI_END = "<|tool_call_end|>"


def prepare_kimi(body: str, options: ReadOptions) -> Prepared:
    texts, expected, place = [], [], 0
    while body[place:].strip():
        head = KIMI_CALL.match(body, place)
        if head is None:
            raise ValueError("It is not a call.")
        found = scan(body[head.end() :])
        if found.in_string:
            raise InsideValueError("The text ends inside a string.")
        end = body.find(KIMI_END, head.end() + max(found.end, 0))
        if end < 0 and not options.repair:
            raise ValueError("The call does not end.")
        written = body[head.end() : end if end >= 0 else len(body)]
        value, rest = load(written, repair=options.repair) if written.strip() else ({}, "")
        if not isinstance(value, dict) or not only_brackets(rest):
            raise ValueError("The arguments are not an object.")
        texts.append(
            f"functions.{head[1]}:{head[2] or 0}<|tool_call_argument_begin|>{to_json(value)}"
        )
        expected.append((head[1], set(value)))
        place = end + len(KIMI_END) if end >= 0 else len(body)
    return texts, expected, ""


def partial_json_calls(body: str, call_format: CallFormat, whole: bool = False) -> Any:
    """Names and received arguments, as they are written."""
    if call_format.name == "json_tools":
        found = list(streaming._json_calls(body))
    elif call_format.name == "cohere2_moe":
        found = list(streaming._json_calls(body, "tool_name", "parameters"))
    elif call_format.name == "harmony":
        header, _, payload = body.partition("<|message|>")
        name = re.match(r"\s*(?:functions\.)?([^\s<|]+)", header)
        found = [(name[1], payload.lstrip())] if name else []
    elif call_format.name == "mistral":
        head = MISTRAL_HEAD.match(body)
        found = [(head[1], body[head.end() :])] if head else list(streaming._json_calls(body))
    else:
        parts = body.split("<|tool_call_begin|>")
        heads = [(part, KIMI_CALL.match(part)) for part in parts]
        found = [(head[1], part[head.end() :]) for part, head in heads if head]
    for name, text in found:
        if whole:
            yield name, text.strip()
        elif text.startswith("{"):
            yield name, _certain(text)


def _certain(text: str) -> str:
    """The part of unfinished JSON that no repair would change; empty if it cannot be JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        if error.msg.startswith("Unterminated string"):
            return text
        if error.msg == "Extra data" or not re.fullmatch(r"\s*[-+.\w]*", rest):
            return ""
        text = text[: error.pos]
    return text.rstrip(BRACKETS)
