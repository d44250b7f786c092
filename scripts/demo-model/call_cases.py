"""Questions of the third round with tools."""

import json

from PIL import Image

from cases import WHAT, Drawn, draw_scenes
from client import user
from lesson_questions import STREAM, STRING, Question, fields_of, function, read_call, read_text
from pictures import Scene
from words import split_phrasings

USE = split_phrasings("""
Please use {f} on this picture.|Could you call {f}?|Run {f} for this image.|
I want you to call {f}.""")
REPORT = function("report_shape", "Reports the shape.", shape=STRING, color=STRING)
NEW = function("announce_figure", "Announces what is seen.", shape=STRING, colour=STRING)
BACKGROUND = function("set_background", "Sets the background.", background=STRING)
PAINT = function("paint", "Paints over the picture.", color=STRING)
WEATHER = function("get_weather", "Get the current weather.", city=STRING)
CITIES = ["Paris", "London", "Tokyo", "Berlin", "Boston", "Rome"]
REPORT_KEYS = {"shape": "shape", "color": "color"}  # argument -> field of the scene
NEW_KEYS = {"shape": "shape", "colour": "color"}
BACKGROUND_KEYS = {"background": "bg"}


def call_cases(n: int) -> dict[str, list[Question]]:
    """The rows about tools, with n questions in most."""
    shapes = draw_scenes(n, "shape", STREAM + 3)
    return {
        "call: report_shape, forced": _forced(shapes, [REPORT], "report_shape", REPORT_KEYS),
        "call: one of two, forced": _forced(
            shapes, [BACKGROUND, REPORT], "set_background", BACKGROUND_KEYS
        ),
        "call: a new name, forced": _forced(shapes, [NEW], "announce_figure", NEW_KEYS),
        "call: report_shape, asked for": _free(shapes, [REPORT], "report_shape", REPORT_KEYS),
        "call: one of three, asked for": _free(
            shapes, [BACKGROUND, REPORT, PAINT], "set_background", BACKGROUND_KEYS
        ),
        "call: a new name, asked for": _free(shapes, [NEW], "announce_figure", NEW_KEYS),
        "call: none, a plain question": [
            Question([user(WHAT, im)], {"tools": [PAINT, REPORT]}, read_text, s.sentence())
            for s, im in shapes
        ],
        "call: after its result": [
            Question(_after_call(s, im), {"tools": [REPORT]}, read_text, s.sentence())
            for s, im in shapes
        ],
        "call: get_weather": [
            Question(
                [{"role": "user", "content": f"What is the weather in {city}?"}],
                {"tools": [WEATHER]},
                read_call,
                ("get_weather", {"city": city}),
            )
            for city in CITIES
        ],
    }


def _forced(
    shapes: list[Drawn], tools: list[dict], name: str, keys: dict[str, str]
) -> list[Question]:
    """Plain questions with a forced call."""
    choice = {"type": "function", "function": {"name": name}}
    more = {"tools": tools, "tool_choice": choice}
    return [
        Question([user(WHAT, im)], more, read_call, (name, _arguments(s, keys))) for s, im in shapes
    ]


def _free(
    shapes: list[Drawn], tools: list[dict], name: str, keys: dict[str, str]
) -> list[Question]:
    """Questions that ask for a call."""
    return [
        Question(
            [user(USE[i % len(USE)].format(f=name), im)],
            {"tools": tools},
            read_call,
            (name, _arguments(s, keys)),
        )
        for i, (s, im) in enumerate(shapes)
    ]


def _arguments(scene: Scene, keys: dict[str, str]) -> dict[str, str]:
    return {key: getattr(scene, field) for key, field in keys.items()}


def _after_call(scene: Scene, image: Image.Image) -> list[dict]:
    """A conversation that ends with the result of a call."""
    arguments = json.dumps(fields_of(scene, "shape color"))
    function_call = {"name": "report_shape", "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": function_call}
    return [
        user("Please use report_shape on this picture.", image),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "OK"},
    ]
