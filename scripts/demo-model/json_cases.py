"""Questions of the third round whose answers are JSON, required by a schema or by the question."""

import json
from collections.abc import Callable

from PIL import Image

import records
from cases import Drawn, draw_scenes
from client import user
from lesson_questions import (
    BOOLEAN,
    INTEGER,
    STREAM,
    STRING,
    Question,
    clear_scenes,
    fields_of,
    read_fields,
    read_json,
    read_text,
    schema,
)
from pictures import COLORS, Scene
from shapes import SHAPES
from words import split_phrasings

PLAIN = split_phrasings("""
What is in this image?|Describe this image.|Give me the facts about this picture.|
Tell me what the picture holds.|Look at this and report.|What have we got here?""")
NAMED = split_phrasings("""
Please reply in JSON format, with exactly these keys: {k}.|Describe this picture as a JSON object ({k}).|
Can you give me {k} in JSON form?|I want a JSON answer. Keys: {k}.|
Look at the image, then write JSON containing {k}.""")
UNNAMED = split_phrasings("""
Write what you see as a JSON object.|Can you give me JSON for this image?|
Return a JSON description of this picture.|I want a JSON answer.""")
KNOWN = "Answer as JSON with the keys {k}."  # this phrasing and the first two below are in training
SPACED = {
    "pretty": "Answer as JSON. Pretty-print it.",
    "compact": "Answer as JSON. No spaces.",
    "pretty, not in training": "Answer as JSON, indented.",
    "compact, not in training": "Answer as compact JSON without spaces.",
}
SHAPE, COLOR = {"enum": SHAPES}, {"enum": [*COLORS, "gray"]}
PARTS = ["top left", "top", "top right", "left", "center", "right"]
PARTS += ["bottom left", "bottom", "bottom right"]


def json_cases(n: int) -> dict[str, list[Question]]:
    """The rows about JSON, with n questions in each."""
    shapes = draw_scenes(n, "shape", STREAM)
    return {
        **_schemas_of_shapes(n, shapes),
        **_other_schemas(n),
        **_loose_schemas(shapes),
        **_json_without_schema(n),
    }


def _schemas_of_shapes(n: int, shapes: list[Drawn]) -> dict[str, list[Question]]:
    """Schemas for pictures of one shape. The model does not see a schema: only the grammar has it."""
    return {
        "schema: shape, color": _rows(
            shapes, schema(shape=STRING, color=STRING), lambda s: fields_of(s, "shape color")
        ),
        "schema: color, shape, background, enums": _rows(
            shapes,
            schema(color=COLOR, shape=SHAPE, background=COLOR),
            lambda s: {**fields_of(s, "color shape"), "background": s.bg},
        ),
        "schema: is_circle": _rows(
            shapes, schema(is_circle=BOOLEAN), lambda s: {"is_circle": s.shape == "circle"}
        ),
        "schema: position": _rows(
            clear_scenes(n),
            schema(position={"enum": PARTS}),
            lambda s: {"position": s.where.replace("middle", "center")},
        ),
        "schema: odd names": _rows(
            shapes,
            schema(figure_shape=STRING, main_colour=STRING),
            lambda s: {"figure_shape": s.shape, "main_colour": s.color},
        ),
    }


def _other_schemas(n: int) -> dict[str, list[Question]]:
    """Schemas for counts, numbers, pairs and any picture."""
    counts, numbers = draw_scenes(n, "count", STREAM), draw_scenes(n, "number", STREAM)
    pairs, mixed = draw_scenes(n, "pair", STREAM), draw_scenes(n, None, STREAM + 1)
    thing = schema(shape=STRING, color=STRING)
    return {
        "schema: shape, count": _rows(
            counts,
            schema(shape=STRING, count=INTEGER),
            lambda s: {"shape": s.shape, "count": s.n},
        ),
        "schema: number": _rows(
            numbers, schema(number=INTEGER), lambda s: {"number": int(s.number)}
        ),
        "schema: text, background": _rows(
            numbers,
            schema(text=STRING, background=STRING),
            lambda s: {"text": s.number, "background": s.bg},
        ),
        "schema: description": _rows(
            mixed, schema(description=STRING), lambda s: {"description": s.sentence()}
        ),
        "schema: objects": _rows(
            pairs,
            schema(objects={"type": "array", "items": thing}),
            lambda s: {"objects": [{"shape": t.shape, "color": t.color} for t in s.things]},
        ),
    }


def _loose_schemas(shapes: list[Drawn]) -> dict[str, list[Question]]:
    """A schema that requires nothing, and JSON mode without a schema."""
    return {
        "schema: nothing required, more allowed": [
            question._replace(read=read_fields("shape", "color"))
            for question in _rows(
                shapes,
                {"type": "object", "properties": {"shape": STRING, "color": STRING}},
                lambda s: fields_of(s, "shape color"),
            )
        ],
        "json_object": [
            Question(
                [user(PLAIN[i % len(PLAIN)], im)],
                {"response_format": {"type": "json_object"}},
                read_fields("shape", "color"),
                fields_of(s, "shape color"),
            )
            for i, (s, im) in enumerate(shapes)
        ],
    }


def _json_without_schema(n: int) -> dict[str, list[Question]]:
    """JSON that is only requested in the question."""
    shapes, counts = draw_scenes(n, "shape", STREAM + 2), draw_scenes(n, "count", STREAM + 2)
    lists = [["shape", "color"], ["color", "background"], ["background", "shape", "color"]]
    lists += [["description"], ["color", "is_star", "shape"]]

    def named(i: int, scene: Scene, image: Image.Image, asked: str = "") -> Question:
        keys = lists[i % len(lists)]
        asked = (asked or NAMED[i // len(lists) % len(NAMED)]).format(k=_listed(keys, i))
        whole = {**records.standard(scene), "description": scene.sentence()}
        whole |= {"is_star": scene.shape == "star"}
        return Question(
            [user(asked, image)], {}, read_text, json.dumps({k: whole[k] for k in keys})
        )

    return {
        "words: with keys": [named(i, *drawn, KNOWN) for i, drawn in enumerate(shapes)],
        "words: with keys, not in training": [named(i, *drawn) for i, drawn in enumerate(shapes)],
        "words: count, shape, not in training": [
            Question(
                [user(NAMED[i % len(NAMED)].format(k="count and shape"), im)],
                {},
                read_text,
                json.dumps({"count": s.n, "shape": s.shape}),
            )
            for i, (s, im) in enumerate(counts)
        ],
        "words: without keys, not in training": [
            Question(
                [user(UNNAMED[i % len(UNNAMED)], im)],
                {},
                read_text,
                records.write(records.standard(s)),
            )
            for i, (s, im) in enumerate(shapes)
        ],
        **{
            f"words: {style}": [
                Question(
                    [user(asked, im)],
                    {},
                    read_text,
                    records.write(records.standard(s), style.split(",")[0]),
                )
                for s, im in shapes[: n // 2]
            ]
            for style, asked in SPACED.items()
        },
    }


def _rows(
    drawn: list[Drawn], wanted_schema: dict, wanted: Callable[[Scene], dict]
) -> list[Question]:
    held = {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted_schema}}
    return [
        Question([user(PLAIN[i % len(PLAIN)], im)], {"response_format": held}, read_json, wanted(s))
        for i, (s, im) in enumerate(drawn)
    ]


def _listed(keys: list[str], i: int) -> str:
    """Keys as people write them, in one of three ways."""
    quoted = [f'"{key}"' if i % 3 == 2 else key for key in keys]
    if i % 3 == 0 and len(keys) > 1:
        return ", ".join(quoted[:-1]) + " and " + quoted[-1]
    return ", ".join(quoted)
