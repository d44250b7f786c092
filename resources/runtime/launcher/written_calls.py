"""Tool calls as models write them, and what reading them takes."""

import json
import re
from dataclasses import dataclass
from typing import Any

from launcher.call_json import strict_json, to_json

NAME = re.compile(r"[\w.:/-]{1,128}")


@dataclass(frozen=True)
class WrittenCall:
    """A complete call; `arguments` is the JSON text of an object."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Read:
    """The calls in a text, and the text after them that belongs to none."""

    calls: list[WrittenCall]
    rest: str = ""


class CallFormat:
    """A format of tool calls, as one of mlx_vlm's parsers reads it, and a request's tools."""

    def __init__(self, module: Any, tools: Any) -> None:
        self.module = module
        self.name = module.__name__.rsplit(".", 1)[-1]
        self.tools = [_plain(tool) for tool in tools or []]

    @property
    def names(self) -> set[str]:
        return {(tool.get("function") or {}).get("name") for tool in self.tools}

    def parameters(self, name: str) -> dict:
        """The schema of a function's parameters; empty if it has none, or is not offered."""
        functions = [tool.get("function") or {} for tool in self.tools]
        found = [each.get("parameters") for each in functions if each.get("name") == name]
        return found[0] if found and isinstance(found[0], dict) else {}


def _plain(tool: Any) -> dict:
    return tool.model_dump(exclude_none=True) if hasattr(tool, "model_dump") else tool


@dataclass(frozen=True)
class ReadOptions:
    """How a body is to be read."""

    call_format: CallFormat
    repair: bool
    closed: bool


Prepared = tuple[list[str], list[tuple[str, set[str]]] | None, str]
"""Texts for mlx_vlm's parser, the calls and argument names that it has to find (None if its own
checks do), and what follows the calls."""


def check_call(call: Any) -> WrittenCall:
    name, arguments = call["name"], call["arguments"]
    if not isinstance(name, str) or not NAME.fullmatch(name.strip()):
        raise ValueError("The call has no name.")
    text = arguments if isinstance(arguments, str) else to_json(arguments)
    if not isinstance(strict_json(text), dict):
        raise ValueError("The arguments are not an object.")
    return WrittenCall(name.strip(), text)


def shape_of(calls: list[WrittenCall]) -> list[tuple[str, set[str]]]:
    return [(call.name, set(json.loads(call.arguments))) for call in calls]
