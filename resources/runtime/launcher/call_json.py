"""The JSON of tool calls, and its repair where only one reading is possible."""

import ast
import json
import re
from dataclasses import dataclass
from typing import Any

HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
"""Half of a surrogate pair. JSON can escape one, but UTF-8 cannot encode it."""


class InsideValueError(ValueError):
    """The text ends inside a string or value, so that the marker after it may be part of that."""


def to_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return HALF_CHARACTER.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON.")

    return json.loads(text, parse_constant=refuse)


@dataclass(frozen=True)
class JsonText:
    """What a scan of JSON, or of a Python literal, found."""

    end: int
    """After the value, or -1 if it does not end."""
    open: str
    """The brackets that would close it."""
    in_string: bool
    fixed: str
    """The text up to `end`, without commas before brackets."""


MAX_DEPTH = 100
"""mlx_vlm's parser for Gemma's calls rereads the rest of a call for each level."""
CLOSING = {"{": "}", "[": "]", "(": ")"}


def scan(text: str, quotes: str = '"') -> JsonText:
    """Finds where the first bracketed value of a text ends."""
    stack: list[str] = []
    fixed: list[str] = []
    quote, escaped = "", False
    for place, character in enumerate(text):
        if quote:
            if escaped or character == "\\":
                escaped = not escaped
            elif character == quote:
                quote = ""
        elif character in quotes:
            quote = character
        elif character in CLOSING:
            stack.append(CLOSING[character])
            if len(stack) > MAX_DEPTH:
                raise ValueError("It is nested too deep.")
        elif character in "}])":
            _drop_comma(fixed)
            if not stack or stack.pop() != character:
                raise ValueError("The brackets do not match.")
            if not stack:
                fixed.append(character)
                return JsonText(place + 1, "", False, "".join(fixed))
        fixed.append(character)
    if not quote:
        _drop_comma(fixed)
    return JsonText(-1, "".join(reversed(stack)), bool(quote), "".join(fixed))


def _drop_comma(characters: list[str]) -> None:
    place = len(characters)
    while place and characters[place - 1].isspace():
        place -= 1
    if place and characters[place - 1] == ",":
        del characters[place - 1]


FENCE = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)


def load(text: str, *, repair: bool) -> tuple[Any, str]:
    """A JSON value and the text after it. Repairs what has one reading: brackets and commas that
    are missing or too many, raw line breaks in strings, Python's quotes and constants."""
    stripped = text.strip()
    try:
        return strict_json(stripped), ""
    except ValueError:
        pass
    if repair and (fenced := FENCE.fullmatch(stripped)):
        stripped = fenced[1]
    found = scan(stripped, "\"'" if repair else '"')
    if found.in_string:
        raise InsideValueError("The text ends inside a string.")
    if found.end >= 0:
        try:
            return strict_json(stripped[: found.end]), stripped[found.end :]
        except ValueError:
            pass
    if not repair:
        raise ValueError("It is not JSON.")
    rest = stripped[found.end :] if found.end >= 0 else ""
    fixed = found.fixed + found.open
    for read in (_lenient_json, ast.literal_eval):
        try:
            value = read(fixed)
            to_json(value)
            return value, rest
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    raise ValueError("It is not JSON.")


def _lenient_json(text: str) -> Any:
    return json.loads(text, strict=False)


def only_brackets(rest: str) -> bool:
    """Brackets too many after a complete value change nothing."""
    return re.fullmatch(r"[\s}\])]*", rest) is not None
