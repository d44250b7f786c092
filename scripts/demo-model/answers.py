"""Questions about one picture, with their answers."""

import numpy as np

import questions
from pictures import COLORS, Scene
from questions import ask, gibberish, sloppy
from shapes import SHAPES
from words import NUMBER_WORDS, article, capital, pick, plural

KINDS = {
    "describe": 0.34,
    "color": 0.11,
    "shape": 0.09,
    "count": 0.12,
    "number": 0.14,
    "background": 0.06,
    "yesno": 0.08,
    "detail": 0.03,
    "other": 0.03,
}


def question_kinds(rng: np.random.Generator, scene: Scene, n: int) -> list[str]:
    """n different kinds of question that make sense for a scene."""
    weights = dict(KINDS)
    if scene.kind != "number":
        weights["number"] = 0.03
    if scene.kind not in ("shape", "count"):
        weights["yesno"] = 0
    p = np.array(list(weights.values()))
    return [str(kind) for kind in rng.choice(list(weights), n, replace=False, p=p / p.sum())]


def question_and_answer(
    rng: np.random.Generator, scene: Scene, kind: str | None = None
) -> tuple[str, str]:
    """A question about a scene, of a given or a random kind, and its answer."""
    kind = kind or question_kinds(rng, scene, 1)[0]
    named = "number" if scene.kind == "number" else pick(rng, [scene.shape or "shape", "shape"])
    if kind == "describe":
        return ask(rng, questions.DESCRIBE), scene.sentence()
    if kind == "color":
        return ask(rng, questions.COLOR, s=named), capital(scene.color or scene.bg) + "."
    if kind == "shape":
        return ask(rng, questions.SHAPE), _shape(scene)
    if kind == "count":
        return ask(rng, questions.COUNT, ss=shapes_to_count(rng, scene)), _count(scene)
    if kind == "number":
        answer = f"The number is {scene.number}." if scene.number else "There is no number."
        return ask(rng, questions.NUMBER), answer
    if kind == "background":
        return ask(rng, questions.BACKGROUND), f"The background is {scene.bg}."
    if kind == "yesno":
        return _is_it_this_shape(rng, scene) if rng.random() < 0.5 else _is_it_so(rng, scene)
    if kind == "detail":
        return ask(rng, questions.DETAIL), detail(scene)
    return gibberish(rng), scene.sentence()


def shapes_to_count(rng: np.random.Generator, scene: Scene) -> str:
    """The plural noun for a counting question: the name of the shape, or "shapes"."""
    return plural(scene.shape) if scene.shape and rng.random() < 0.6 else "shapes"


def detail(scene: Scene) -> str:
    """A detailed description of a scene."""
    said = [f"The image shows {scene.caption()}."]
    if scene.kind == "shape":
        said += [
            "There is one shape in the image.",
            f"The shape is a {scene.shape}.",
            f"The color of the {scene.shape} is {scene.color}.",
            position(scene),
        ]
    elif scene.kind == "count":
        said += [
            f"There are {NUMBER_WORDS[scene.n]} shapes in the image.",
            f"Each shape is a {scene.shape}.",
            f"The color of the {plural(scene.shape)} is {scene.color}.",
        ]
    elif scene.kind == "number":
        said += [
            f"The number is {scene.number}.",
            f"The color of the number is {scene.color}.",
            "There are no shapes in the image.",
        ]
    else:
        said.append("There are no shapes in the image.")
    said.append(f"The background is {scene.bg}.")
    if not scene.number:
        said.append("There is no number in the image.")
    said.append("There is nothing else to see. That is all I can say about this image.")
    return " ".join(said)


def position(scene: Scene) -> str:
    """Where the only shape of a scene is."""
    return f"It is at the {scene.where} of the image."


def _shape(scene: Scene) -> str:
    if scene.kind == "shape":
        return f"A {scene.shape}."
    if scene.kind == "count":
        return capital(plural(scene.shape)) + "."
    if scene.kind == "number":
        return "There is a number, not a shape."
    return "There is no shape."


def _count(scene: Scene) -> str:
    if scene.kind == "shape":
        return f"There is one {scene.shape}."
    if scene.kind == "count":
        return f"There are {NUMBER_WORDS[scene.n]} {plural(scene.shape)}."
    return "There are no shapes."


def _is_it_this_shape(rng: np.random.Generator, scene: Scene) -> tuple[str, str]:
    other = pick(rng, SHAPES) if rng.random() < 0.5 else scene.shape
    if scene.kind == "shape":
        question = f"Is it {article(other)} {other}?"
        what = f"it is a {scene.shape}"
    else:
        question = f"Are they {plural(other)}?"
        what = f"they are {plural(scene.shape)}"
    return sloppy(rng, question), f"{'Yes' if other == scene.shape else 'No'}, {what}."


def _is_it_so(rng: np.random.Generator, scene: Scene) -> tuple[str, str]:
    other = pick(rng, list(COLORS)) if rng.random() < 0.5 else scene.color
    if scene.kind == "shape":
        forms = ["Is the shape {c}?", "Is it {c}?", f"Is the {scene.shape} {{c}}?"]
        question, what = pick(rng, forms).format(c=other), f"it is {scene.color}"
    else:
        question, what = f"Are they {other}?", f"they are {scene.color}"
    return sloppy(rng, question), f"{'Yes' if other == scene.color else 'No'}, {what}."
