"""Questions of the third round about labelled pages, positions and pairs of shapes."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from cases import CLEAN_SIZES, WHAT, Drawn, draw_scenes
from client import picture, user
from lesson_questions import STREAM, Question, clear_scenes, read_text
from pages import each
from pairs import alone, is_sideways, place
from pictures import COLORS, Scene, Thing
from shapes import SHAPES, draw_shape
from words import split_phrasings

PAGE = split_phrasings("""
What is on page {i}?|Can you tell me what page {i} shows?|What is the content of page {i}?|
Please describe page {i} for me.""")
WHICH = split_phrasings("""
Which page shows the {s}?|On what page do I find the {s}?|Tell me which page has the {s}.""")
EACH = split_phrasings("What is on each page?|Tell me what every page shows.|Go through the pages.")
PLACE = split_phrasings("""
Where is the {s}?|Where exactly is the {s}?|Can you tell me where the {s} is?|
Where is the {s} placed in this picture?""")
SIDE = split_phrasings("""
What is on the {d}?|Which shape can you see on the {d}?|Tell me what is on the {d}.|
What shape stands on the {d}?""")
RELATION = {
    "left": "What is to the left of the {s}?",
    "right": "What is to the right of the {s}?",
    "top": "What is above the {s}?",
    "bottom": "What is below the {s}?",
}


def page_cases(n: int) -> dict[str, list[Question]]:
    """The rows about labelled pages, with up to n questions in each."""
    drawn = draw_scenes(4 * n, None, STREAM + 4)
    one, every, where_is = [], [], []
    for i in range(n):
        pages = drawn[4 * i : 4 * i + 3 + i % 2]
        scenes = tuple(scene for scene, _ in pages)
        label = "Page {i}:" if i % 3 == 2 else "Page {i} of {k}"
        at = int(np.random.default_rng([STREAM + 5, i]).integers(len(pages)))
        asked = PAGE[i % len(PAGE)].format(i=at + 1)
        one.append(_paged(label, pages, asked, scenes[at].sentence()))
        every.append(_paged(label, pages, EACH[i % len(EACH)], each("page", scenes)))
        shapes = [scene.shape for scene in scenes]
        once = [s.shape for s in scenes if s.kind == "shape" and shapes.count(s.shape) == 1]
        if once:
            asked = WHICH[i % len(WHICH)].format(s=once[0])
            where_is.append(_paged(label, pages, asked, f"Page {shapes.index(once[0]) + 1}."))
    return {
        "pages: what is on one": one,
        "pages: what is on each": every,
        "pages: which one shows it": where_is,
    }


def _paged(label: str, pages: list[Drawn], asked: str, wanted: str) -> Question:
    """A question after labelled pictures."""
    parts = []
    for i, (_, image) in enumerate(pages, 1):
        parts += [{"type": "text", "text": label.format(i=i, k=len(pages))}, picture(image)]
    message = {"role": "user", "content": [*parts, {"type": "text", "text": asked}]}
    return Question([message], {}, read_text, wanted)


def place_cases(n: int) -> dict[str, list[Question]]:
    """The rows about positions and pairs, with n questions in each."""
    pairs = draw_scenes(n, "pair", STREAM + 6)
    clean = [_clean_pair(i) for i in range(n)]

    def each_of(drawn: list[Drawn], ask: Callable[[int, Scene], tuple[str, str]]) -> list[Question]:
        return [
            Question([user(question, im)], {}, read_text, wanted)
            for i, (s, im) in enumerate(drawn)
            for question, wanted in [ask(i, s)]
        ]

    def where_is(i: int, scene: Scene) -> tuple[str, str]:
        name = scene.shape if i % 2 else "shape"
        return PLACE[i // 2 % len(PLACE)].format(s=name), place(scene.where)

    def on_side(i: int, scene: Scene) -> tuple[str, str]:
        ends = ("left", "right") if is_sideways(scene) else ("top", "bottom")
        return SIDE[i // 2 % len(SIDE)].format(d=ends[i % 2]), alone(scene.things[i % 2])

    def beside(i: int, scene: Scene) -> tuple[str, str]:
        ends = ("left", "right") if is_sideways(scene) else ("top", "bottom")
        other = scene.things[1 - i % 2]
        return RELATION[ends[i % 2]].format(s=other.shape), alone(scene.things[i % 2])

    def color(i: int, scene: Scene) -> tuple[str, str]:
        thing = scene.things[i % 2]
        return f"What color is the {thing.shape}?", thing.color.capitalize() + "."

    def what(_: int, scene: Scene) -> tuple[str, str]:
        return WHAT, scene.sentence()

    return {
        "place: clear": each_of(clear_scenes(n), where_is),
        "place: any": each_of(draw_scenes(n, "shape", STREAM + 7), where_is),
        "pair: What is in this image?": each_of(pairs, what),
        "pair: on the left": each_of(pairs, on_side),
        "pair: left of the other": each_of(pairs, beside),
        "pair: color of one": each_of(pairs, color),
        "clean pair: What is in this image?": each_of(clean, what),
        "clean pair: left of the other": each_of(clean, beside),
    }


def _clean_pair(i: int) -> Drawn:
    """Two shapes as other programs draw them: CSS colours, no noise."""
    rng = np.random.default_rng([STREAM + 9, i])
    shapes = [SHAPES[int(j)] for j in rng.choice(len(SHAPES), 2, replace=False)]
    names = [name for name in COLORS if name != "white"]
    colors = [names[int(j)] for j in rng.choice(len(names), 2, replace=False)]
    size = CLEAN_SIZES[i % len(CLEAN_SIZES)]
    image = Image.new("RGB", size, "white")
    scene = Scene("pair", "white")
    ends = [(0.28, 0.5), (0.72, 0.5)] if i % 3 else [(0.5, 0.28), (0.5, 0.72)]
    for shape, color, (x, y) in zip(shapes, colors, ends):
        centre = x * size[0], y * size[1]
        draw_shape(ImageDraw.Draw(image), shape, centre, 0.18 * min(size), 0, color)
        scene.things.append(Thing(shape, color, x, y))
    return scene, image
