"""Decides whether the text of a tool call is complete, and repairs it where only one reading is
possible. The parsing itself is left to mlx_vlm's parsers (`mlx_vlm/tools/parsers`).

Those parsers expect a complete and correct call. For anything else they raise an error, or silently
return a part of it. So a text is checked and repaired before they parse it, and their result is
checked as well. A text that cannot be read as a call raises ValueError.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from mlx_vlm.tools import streaming
from mlx_vlm.tools.parsers import gemma4, minimax_m2, qwen3_coder

from launcher.gemma_calls import partial_gemma_calls, prepare_gemma
from launcher.json_calls import (
    BRACKETS,
    JSON_FORMATS,
    partial_json_calls,
    prepare_harmony,
    prepare_json,
    prepare_kimi,
    prepare_mistral,
)
from launcher.patching import require_names
from launcher.python_calls import prepare_pythonic
from launcher.tag_formats import (
    partial_tag_calls,
    partial_xml_calls,
    prepare_atem,
    prepare_minicpm,
    prepare_minimax_m3,
    prepare_pairs,
    prepare_tags,
)
from launcher.tagged_calls import TAGS, before_doubt
from launcher.written_calls import (
    CallFormat,
    Prepared,
    Read,
    ReadOptions,
    WrittenCall,
    check_call,
    shape_of,
)

PATCHED = {
    streaming: ("_json_calls", "_xml_call", "_gemma_call", "_without_marker_tail"),
    qwen3_coder: ("_convert_param_value", "_get_arguments_config", "_string_types"),
    minimax_m2: ("_convert_param_value_with_types",),
    gemma4: (
        "_tool_call_regex",
        "_ESCAPE",
        "_split_top_level",
        "_find_top_level_colon",
        "_find_matching_brace",
    ),
}


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    require_names(PATCHED)
    # It ends a call at the first brace of a string. mlx_vlm's fallback knows about strings.
    gemma4._tool_call_regex = re.compile(r"(?!)")
    qwen3_coder._convert_param_value = or_as_written(qwen3_coder._convert_param_value)
    convert = or_as_written(minimax_m2._convert_param_value_with_types)

    def convert_nullable(value: str, types: list[str]) -> Any:
        # mlx_vlm takes every value of a type that allows null for null.
        return convert(value, [kind for kind in types if kind.lower() != "null"] or ["string"])

    minimax_m2._convert_param_value_with_types = convert_nullable


def or_as_written(convert: Callable) -> Callable:
    """A value that is not of its parameter's type is passed on as the model wrote it."""

    def convert_or_keep(value: str, *args: Any) -> Any:
        try:
            converted = convert(value, *args)
            json.dumps(converted, allow_nan=False)
            return converted
        except Exception:
            return value

    return convert_or_keep


PREPARE: dict[str, Callable[[str, ReadOptions], Prepared]] = {
    "json_tools": prepare_json,
    "cohere2_moe": prepare_json,
    "mistral": prepare_mistral,
    "harmony": prepare_harmony,
    "kimi_k2": prepare_kimi,
    "qwen3_coder": prepare_tags,
    "minimax_m2": prepare_tags,
    "atem": prepare_atem,
    "minicpm5": prepare_minicpm,
    "glm47": prepare_pairs,
    "longcat": prepare_pairs,
    "minimax_m3": prepare_minimax_m3,
    "gemma4": prepare_gemma,
    "pythonic": prepare_pythonic,
}


PARTIAL: dict[str, Callable[[str, CallFormat], Any]] = {
    **dict.fromkeys(JSON_FORMATS, partial_json_calls),
    "qwen3_coder": partial_xml_calls,
    "gemma4": partial_gemma_calls,
    "glm47": partial_tag_calls,
    "longcat": partial_tag_calls,
    "minimax_m2": partial_tag_calls,
}


class CallReader:
    """Reads calls of one format, between its start and its end marker, for a request's tools."""

    def __init__(self, module: Any, tools: Any) -> None:
        self._format = CallFormat(module, tools)
        self._prepare = PREPARE[self._format.name]
        self.format_name = self._format.name
        self.start_marker: str = module.tool_call_start
        self.end_marker: str = module.tool_call_end

    def read(self, body: str, *, repair: bool = False, closed: bool = True) -> Read:
        """The calls of a body. `closed` is whether its end marker was written. Raises ValueError if
        it is not a complete call, and InsideValueError if it ends inside a value."""
        try:
            texts, expected, rest = self._prepare(body, ReadOptions(self._format, repair, closed))
            calls = [call for text in texts for call in self._parse(text)]
        except ValueError:
            raise
        except Exception as error:  # a value nested too deep, or one that JSON cannot hold
            raise ValueError(str(error)) from error
        if not calls or (expected is not None and expected != shape_of(calls)):
            raise ValueError("The parser left out a part of the call.")
        return Read(calls, rest)

    def _parse(self, text: str) -> list[WrittenCall]:
        parsed = self._format.module.parse_tool_call(text, self._format.tools)
        return [check_call(call) for call in (parsed if isinstance(parsed, list) else [parsed])]

    def partial(self, body: str) -> list[tuple[str, str]]:
        """The names and received arguments of an unfinished body, as far as they are certain. The
        last arguments never have the bracket that would complete them."""
        read = PARTIAL.get(self._format.name)
        if read is None:
            return []
        try:
            found = list(read(body, self._format))
        except Exception:
            return []
        return [(name, text) for name, text in found if name and text]

    def certain_prefix(self, body: str) -> str:
        """The part of a body that `partial` has used."""
        name = self._format.name
        if name in JSON_FORMATS:
            return body.rstrip(BRACKETS)
        return before_doubt(body, name) if name in TAGS else body

    def may_begin(self, body: str) -> bool:
        """Whether the text after a start marker can still become a call."""
        if self._format.name != "minicpm5":
            return True
        return (
            re.match(r"\s+name", body) is not None or re.fullmatch(r"\s*n?a?m?", body) is not None
        )

    def raw_arguments(self, body: str) -> list[str]:
        """The arguments of each call of a complete JSON body, exactly as written."""
        if self._format.name not in JSON_FORMATS:
            return []
        try:
            found = list(partial_json_calls(body, self._format, whole=True))
        except Exception:
            return []
        return [text for _, text in found]
