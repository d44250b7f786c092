"""Reads calls in the formats with tags around each value (Qwen Coder, MiniMax M2, MiniCPM, Muse,
GLM, LongCat), where a missing tag leaves several readings. mlx_vlm's parsers get the calls with all
their tags, and convert the values.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from launcher.call_json import InsideValueError
from launcher.written_calls import ReadOptions


@dataclass(frozen=True)
class Tags:
    """Tags around a call and around each of its values. Pairs of a name and a value have no tags
    around the call."""

    call: re.Pattern | None
    call_end: str
    value: re.Pattern
    value_end: str
    markup: tuple[str, ...]
    """How the tags begin that may follow a value."""
    canonical: str = ""
    """The tag of a value as mlx_vlm's parser needs it, if models write it differently."""


def _attribute(tag: str) -> re.Pattern:
    return re.compile(rf"<{tag}\b[^<>]*?\bname\s*=\s*[\"']?([^\"'<>]+)[\"']?[^<>]*>")


def _elements(call: str, value: str) -> Tags:
    return Tags(
        _attribute(call),
        f"</{call}>",
        _attribute(value),
        f"</{value}>",
        (f"<{value}", f"</{call}>", f"<{call}"),
    )


def _pairs(prefix: str) -> Tags:
    key, value = f"{prefix}arg_key", f"{prefix}arg_value"
    # A name has one possible end, so its tag may be missing.
    pair = re.compile(rf"<{key}>\s*([^<>]+?)\s*(?:</{key}>(?:\\n|\s)*)?<{value}>")
    return Tags(None, "", pair, f"</{value}>", (f"<{key}>",), f"<{key}>{{}}</{key}><{value}>")


TAGS = {
    "qwen3_coder": Tags(
        re.compile(r"<function=([^<>\n]+)>"),
        "</function>",
        re.compile(r"<parameter=([^<>\n]+)>"),
        "</parameter>",
        ("<parameter=", "</function>", "<function="),
    ),
    "minimax_m2": _elements("invoke", "parameter"),
    "atem": _elements("atem:invoke", "atem:parameter"),
    "minicpm5": _elements("function", "param"),
    "glm47": _pairs(""),
    "longcat": _pairs("longcat_"),
}


@dataclass(frozen=True)
class TaggedCall:
    """One call in a reading of a text."""

    name: str
    values: dict[str, str]
    text: str
    """The call with all its tags."""


@dataclass(frozen=True)
class Reading:
    """One way to read a text as calls."""

    calls: tuple[TaggedCall, ...]
    is_repaired: bool

    @property
    def written(self) -> list[str]:
        return [value for call in self.calls for value in call.values.values()]


SPACE = re.compile(r"\s*")
MAX_MISSING_TAGS = 200
"""How many places where a tag may be missing are tried."""


class TagReader:
    """Finds every reading of a text in a format of tags.

    If the end of a value is missing, the tags after it look like a part of the value, and the value
    of an argument may indeed be about such tags. So both readings are tried, and the function's
    parameters decide. A text with several possible readings is not a call.
    """

    def __init__(self, body: str, options: ReadOptions) -> None:
        self._body = body
        self._options = options
        self._tags = tags = TAGS[options.call_format.name]
        self._ends_inside = False
        self._tried = 0
        end, start = (
            re.escape(marker)
            for marker in (
                options.call_format.module.tool_call_end,
                options.call_format.module.tool_call_start,
            )
        )
        call = f"|{tags.call.pattern}" if tags.call else ""
        # The end of a call and the start of another, which no value contains.
        self._next_call = re.compile(rf"{re.escape(tags.call_end)}\s*(?:{end}\s*{start}{call})")
        self._markup = re.compile("|".join(map(re.escape, tags.markup)))

    def read(self, readings: Iterator[Reading]) -> tuple[TaggedCall, ...]:
        """The calls of the only possible reading. Raises ValueError if there is not exactly one."""
        found = [
            reading for reading in readings if not any(map(self._next_call.search, reading.written))
        ]
        if len(found) > 1:
            found = [reading for reading in found if all(map(self._fits, reading.calls))]
        if len(found) == 1 and (self._options.repair or not found[0].is_repaired):
            return found[0].calls
        if self._ends_inside and all(reading.is_repaired for reading in found):
            raise InsideValueError("The text ends inside a value.")
        raise ValueError("It is not a call, or has several readings.")

    def calls(self, place: int = 0) -> Iterator[Reading]:
        """The readings of the text from a place between calls."""
        place = self._skip_space(place)
        if place == len(self._body):
            yield Reading((), False)
            return
        head = self._tags.call.match(self._body, place)
        if head is None:
            return
        for call, end, is_repaired in self.values(head[1].strip(), head[0], head.end(), {}):
            for rest in self.calls(end):
                yield Reading((call, *rest.calls), is_repaired or rest.is_repaired)

    def values(
        self, name: str, text: str, place: int, values: dict[str, str]
    ) -> Iterator[tuple[TaggedCall, int, bool]]:
        """The readings of a call from a place between its values: the call, where it ends, and
        whether a tag is missing."""
        place, tags = self._skip_space(place), self._tags
        call = TaggedCall(name, values, text + tags.call_end)
        # Without values, it is more likely the tag of one call written twice.
        if place == len(self._body) or (values and self._starts_call(place)):
            yield call, place, tags.call is not None
            return
        if tags.call_end and self._body.startswith(tags.call_end, place):
            yield call, place + len(tags.call_end), False
            return
        value = tags.value.match(self._body, place)
        if value is None or value[1].strip() in values:
            return
        key, tag = value[1].strip(), value[0]
        opening = tag[tag.rindex("<") :]
        is_changed = bool(tags.canonical) and "</" not in tag
        for end, following, is_missing in self._ends(value.end(), {*values, key}):
            written = self._body[value.end() : end]
            if is_missing:
                written = written.rstrip()  # it is before a tag on a line of its own
            if written.lstrip().startswith(opening):
                continue  # the tag was written twice
            more = text + (tags.canonical.format(key) or tag) + written + tags.value_end
            given = {**values, key: written}
            for found, at, is_repaired in self.values(name, more, following, given):
                yield found, at, is_repaired or is_missing or is_changed

    def _ends(self, start: int, keys: set[str]) -> Iterator[tuple[int, int, bool]]:
        """Where a value may end, where the text continues, and whether the tag is missing there."""
        tags, body = self._tags, self._body
        closed = body.find(tags.value_end, start)
        if closed >= 0:
            yield closed, closed + len(tags.value_end), False
        else:
            self._ends_inside = True
        for found in self._markup.finditer(body, start, closed if closed >= 0 else len(body)):
            at = found.start()
            inner = tags.value.match(body, at)
            is_value = inner is not None and inner[1].strip() not in keys
            if not is_value and not self._starts_call(at) and found[0] != tags.call_end:
                continue
            self._tried += 1
            if self._tried > MAX_MISSING_TAGS:
                raise ValueError("It has too many readings.")
            yield at, at, True
        if closed < 0 and tags.call is None and self._options.closed:
            yield len(body), len(body), True

    def _starts_call(self, place: int) -> bool:
        call = self._tags.call
        return call is not None and call.match(self._body, place) is not None

    def _skip_space(self, place: int) -> int:
        return SPACE.match(self._body, place).end()

    def _fits(self, call: TaggedCall) -> bool:
        """Whether the function has these parameters, with such values."""
        schema = self._options.call_format.parameters(call.name)
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return True
        is_open = not properties or bool(schema.get("additionalProperties"))
        return (
            (is_open or call.values.keys() <= properties.keys())
            and call.values.keys() >= set(schema.get("required") or ())
            and all(_is_of(properties.get(key), value) for key, value in call.values.items())
        )


JSON_TYPES = {
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def _is_of(schema: Any, written: str) -> bool:
    """Whether a value can be one of a parameter, by its type and its list of values."""
    if not isinstance(schema, dict):
        return True
    allowed = schema.get("enum")
    text = written.strip()
    if isinstance(allowed, list) and all(isinstance(each, str) for each in allowed):
        return text in allowed
    kinds = schema.get("type")
    kinds = [str(kind).lower() for kind in (kinds if isinstance(kinds, list) else [kinds])]
    if not all(kind in JSON_TYPES for kind in kinds):
        return True
    try:
        value = json.loads(text.lower() if text in ("True", "False", "None") else text)
    except (ValueError, RecursionError):
        return False
    return any(
        isinstance(value, JSON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        for kind in kinds
    )


def before_doubt(body: str, form: str) -> str:
    """The part of an unfinished body before the first tag in a value, or the beginning of one: it
    may be a part of the value, or the end of the value may be missing."""
    tags = TAGS[form]
    place = 0
    while (value := tags.value.search(body, place)) is not None:
        end = body.find(tags.value_end, value.end())
        written = body[value.end() : end if end >= 0 else len(body)]
        places = [at for tag in tags.markup if (at := written.find(tag)) >= 0]
        if places:
            return body[: value.end() + min(places)].rstrip()
        if end < 0:
            held = max(
                (
                    size
                    for tag in tags.markup
                    for size in range(1, len(tag))
                    if written.endswith(tag[:size])
                ),
                default=0,
            )
            return body[: len(body) - held].rstrip()
        place = end + len(tags.value_end)
    return body
