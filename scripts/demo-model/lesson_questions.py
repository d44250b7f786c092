"""The questions that evaluate_lessons.py sends to the API, and how their replies are read."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from cases import Drawn, draw_scenes
from client import text
from pictures import Scene

STREAM = 3000  # no random stream of training starts at 999 or above
STRING, INTEGER, BOOLEAN = ({"type": name} for name in ("string", "integer", "boolean"))


class Question(NamedTuple):
    """A request, and the value that `read` must return for its reply."""

    messages: list[dict]
    more: dict[str, Any]  # other fields of the body
    read: Callable[[dict], Any]
    wanted: Any


def schema(**properties: dict) -> dict[str, Any]:
    """The schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def function(name: str, description: str, **properties: dict) -> dict[str, Any]:
    """A tool definition for a request."""
    definition = {"name": name, "description": description, "parameters": schema(**properties)}
    return {"type": "function", "function": definition}


def fields_of(scene: Scene, names: str) -> dict[str, str]:
    return {name: getattr(scene, name) for name in names.split()}


def clear_scenes(n: int) -> list[Drawn]:
    """Pictures of one shape whose position is unambiguous: not near the border between two parts."""
    found: list[Drawn] = []
    for i in range(100 * n):
        scene, image = draw_scenes(1, "shape", STREAM + 8 + i)[0]
        if all(abs(at - edge) > 0.07 for _, *c in scene.objects for at in c for edge in (0.4, 0.6)):
            found.append((scene, image))
        if len(found) == n:
            break
    return found


def read_text(reply: dict) -> str:
    return text([reply])


def read_json(reply: dict) -> Any:
    try:
        return json.loads(text([reply]))
    except ValueError:
        return text([reply])


def read_fields(*names: str) -> Callable[[dict], Any]:
    def read(reply: dict) -> Any:
        whole = read_json(reply)
        return {name: whole.get(name) for name in names} if isinstance(whole, dict) else whole

    return read


def read_call(reply: dict) -> Any:
    calls = reply["choices"][0]["message"].get("tool_calls") or []
    if len(calls) != 1:
        return text([reply])
    called = calls[0]["function"]
    try:
        return called["name"], json.loads(called["arguments"])
    except ValueError:
        return called["name"], called["arguments"]
