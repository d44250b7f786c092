"""Gemma's tool calls, with unquoted names and its own quotation marks around strings."""

import json
import re
from typing import Any

from mlx_vlm.tools import streaming
from mlx_vlm.tools.parsers import gemma4

from launcher.call_json import InsideValueError, only_brackets, scan
from launcher.written_calls import NAME, CallFormat, Prepared, ReadOptions

QUOTE = '<|"|>'
"""Gemma's quotation mark."""


def prepare_gemma(body: str, options: ReadOptions) -> Prepared:
    text = unquote(body).strip()
    if text.count(QUOTE) % 2:
        raise InsideValueError("The text ends inside a string.")
    if options.repair and re.fullmatch(r"(?:call)?:?[\w.:-]+", text) and options.closed:
        text += "{}"
    head = re.match(r"(?:call:|:)?([\w.:-]+)\{", text)
    if head is None:
        raise ValueError("It is not a call.")
    parts = text.split(QUOTE)
    bare = QUOTE.join(part if at % 2 == 0 else "" for at, part in enumerate(parts))
    found = scan(bare[head.end() - 1 :], "")
    rest = bare[head.end() - 1 + found.end :].strip() if found.end >= 0 else ""
    if found.end < 0:
        last = re.search(r"[:,{\[]([^:,{\[]*)$", bare)
        if not options.repair or not (text.endswith(QUOTE) or _is_literal(last and last[1])):
            raise ValueError("The call does not end.")
        text += found.open
    elif rest:
        if not (options.repair and only_brackets(rest)):
            raise ValueError("There is text after the call.")
        text = text[: len(text) - len(rest)].rstrip()
    entries = [e for e in gemma4._split_top_level(text[head.end() : -1]) if e.strip()]
    colons = [gemma4._find_top_level_colon(entry) for entry in entries]
    if any(colon < 0 for colon in colons):
        raise ValueError("An argument has no name.")
    if any(not entry[colon + 1 :].strip() for entry, colon in zip(entries, colons, strict=True)):
        raise ValueError("An argument has no value.")
    _check_gemma_object(text[head.end() : -1])
    keys = {entry[:colon].strip() for entry, colon in zip(entries, colons, strict=True)}
    return [text], [(head[1], keys)], ""


def _check_gemma_object(text: str) -> None:
    """Raises ValueError for an entry of which the parser would leave out or invent a part."""
    for entry in filter(str.strip, gemma4._split_top_level(text)):
        name, colon, value = entry.partition(":")
        if not colon or re.search(r"[{}\[\]<>]", name):
            raise ValueError("An argument has no name.")
        _check_gemma_value(value.strip())


def _check_gemma_value(value: str) -> None:
    if value.startswith(QUOTE):
        is_whole = value.find(QUOTE, len(QUOTE)) == len(value) - len(QUOTE)
    elif value.startswith(("{", "[")):
        is_whole = gemma4._find_matching_brace(value, 0) == len(value) - 1
        if is_whole and value[0] == "{":
            _check_gemma_object(value[1:-1])
        elif is_whole:
            for item in filter(str.strip, gemma4._split_top_level(value[1:-1])):
                _check_gemma_value(item.strip())
    else:
        is_whole = QUOTE not in value and not value.startswith(":")
    if not is_whole:
        raise ValueError("There is text between the arguments.")


def _is_literal(text: str | None) -> bool:
    """Whether a text is a whole value: a number or word of JSON, or a bracket that closes one."""
    return re.fullmatch(r"\s*(-?\d[\d.eE+-]*|true|false|null)?[\s}\]]*", text or "-") is not None


QUOTED_KEY = re.compile(r'([{,]\s*)"([\w.-]+)"(?=\s*:)')
QUOTED_VALUE = re.compile(r'([:\[,]\s*)"((?:[^"\\]|\\.)*)"(?=\s*[,}\]])')


def unquote(body: str) -> str:
    """Gemma's call with names that are not quoted, and strings in its own quotation marks."""
    parts = body.split(QUOTE)
    for at in range(1, len(parts) - 1, 2):
        before, after = parts[at - 1].rstrip(), parts[at + 1].lstrip()
        if before.endswith(("{", ",")) and after.startswith(":") and NAME.fullmatch(parts[at]):
            parts[at] = f"\0{parts[at]}\0"
    text = QUOTE.join(parts).replace(f"{QUOTE}\0", "").replace(f"\0{QUOTE}", "")
    if '"' not in text.replace(QUOTE, ""):
        return text
    parts = text.split(QUOTE)
    for at in range(0, len(parts), 2):
        named = QUOTED_KEY.sub(r"\1\2", parts[at])
        parts[at] = QUOTED_VALUE.sub(_gemma_string, named)
    return QUOTE.join(parts)


def _gemma_string(found: re.Match) -> str:
    try:
        return f"{found[1]}{QUOTE}{json.loads(found[2].join(chr(34) * 2), strict=False)}{QUOTE}"
    except ValueError:
        return found[0]


def partial_gemma_calls(body: str, call_format: CallFormat) -> Any:
    text = unquote(body)
    scan("{" + "".join(text.split(QUOTE)[::2]).partition("{")[2], "")
    if any('"' in part for part in text.split(QUOTE)[::2]):
        return []
    return streaming._gemma_call(text, call_format.module)
