"""The questions of the evaluation, with pictures and phrasings that are not in training."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from answers import detail, question_and_answer
from conversations import content, describe_all
from pictures import COLORS, Scene, make_scene
from shapes import SHAPES, draw_shape
from small_talk import FIXED
from words import FILLER, NAMES, NUMBER_WORDS, article, capital, pick, plural, split_phrasings

NEW_PHRASINGS = split_phrasings("""
What's inside this picture?|Could you tell me what this picture shows?|what do u see|
Please describe the contents of the attached image.|I uploaded an image. What is it?|
Describe this image in a few words.|What is visible in the photo?|Tell me what is in the picture|
Hey! What's on this image?|Can you identify what is in this image for me please?""")
MORE_PHRASINGS = split_phrasings("""
Hello, I have a question: what does my picture show?|What might this be?|
Please identify the thing you can see in this photo.|
Explain in one sentence what you can see here.|What is being shown in this screenshot?|
Look closely. What is in the drawing?|Can you describe what you are seeing?|
Summarise the image briefly.|what's in the pic|
Take this image and write one sentence about it.""")
CLEAN_SIZES = [(64, 64), (128, 128), (256, 256), (512, 512), (640, 480), (1024, 1024)]
WHAT, AHOY = "What is in this image?", "Start every answer with the word Ahoy."

Drawn = tuple[Scene, Image.Image]


class Case(NamedTuple):
    """Messages in OpenAI's format with PIL images, and the expected answer."""

    messages: list[dict]
    wanted: str


def draw_scenes(n: int, kind: str | None, stream: int) -> list[Drawn]:
    """n pictures from a random stream. Training only uses streams below 999."""
    return [make_scene(np.random.default_rng([stream, i]), kind) for i in range(n)]


def all_cases(n: int) -> dict[str, list[Case]]:
    """All rows of the evaluation, with n cases in a full row."""
    shapes = draw_scenes(n, "shape", 999)
    return {
        **_one_shape(shapes),
        **_counts_and_numbers(n),
        "clean CSS-color shapes, 64..1024 px": clean_shapes(),
        **_two_pictures(list(zip(shapes, shapes[1:] + shapes[:1]))[: n // 2]),
        "system rule (Ahoy)": [
            Case([{"role": "system", "content": AHOY}, ask(WHAT, im)], f"Ahoy! {sc.sentence()}")
            for sc, im in shapes[: n // 2]
        ],
        "mixed scenes, any trained question": _mixed(2 * n),
        **_small_talk(),
    }


def clean_shapes() -> list[Case]:
    """Simple pictures as other programs draw them: centred, with CSS colours and no noise."""
    cases = []
    for i, (shape, color) in enumerate((s, c) for s in SHAPES for c in COLORS):
        for bg in ("white", "black", "gray"):
            if bg != color:
                size = CLEAN_SIZES[i % len(CLEAN_SIZES)]
                wanted = f"{capital(article(color))} {color} {shape} on a {bg} background."
                cases.append(Case([ask(WHAT, _clean(shape, color, bg, size))], wanted))
    return cases


def ask(question: str, *images: Image.Image, images_first: bool = True) -> dict:
    """A user's message. Its content is a string if there are no pictures."""
    body = content(images_first, list(images), question) if images else question
    return {"role": "user", "content": body}


def _said(answer: str) -> dict:
    return {"role": "assistant", "content": answer}


def _clean(shape: str, color: str, bg: str, size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, bg)
    centre = size[0] / 2, size[1] / 2
    draw_shape(ImageDraw.Draw(image), shape, centre, 0.3 * min(size), 0, color)
    return image


def _jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    return Image.open(io.BytesIO(buffer.getvalue()))


def _one_shape(shapes: list[Drawn]) -> dict[str, list[Case]]:
    def each(question: str, answer) -> list[Case]:
        return [Case([ask(question, im)], answer(sc)) for sc, im in shapes]

    def rotating(questions: list[str]) -> list[Case]:
        asked = [questions[i % len(questions)] for i in range(len(shapes))]
        return [Case([ask(q, im)], sc.sentence()) for q, (sc, im) in zip(asked, shapes)]

    hello = [ask("Hello"), _said("Hello! Show me a picture and ask me about it.")]
    ground, color = "What color is the background?", "What color is it?"
    return {
        "shape: What is in this image?": each(WHAT, Scene.sentence),
        "shape: picture after the text": [
            Case([ask("Describe the image.", im, images_first=False)], sc.sentence())
            for sc, im in shapes
        ],
        "shape: What color is the shape?": each("What color is the shape?", _color),
        "shape: What shape is it?": each("What shape is it?", lambda sc: f"A {sc.shape}."),
        "shape: background color": each(ground, _ground),
        "shape: phrasings not in training": rotating(NEW_PHRASINGS),
        "shape: more phrasings not in training": rotating(MORE_PHRASINGS),
        "shape: JPEG quality 75": [
            Case([ask(WHAT, _jpeg(im))], sc.sentence()) for sc, im in shapes
        ],
        "shape: detailed description": each("Describe the image in detail.", detail)[
            : len(shapes) // 2
        ],
        "shape: follow-up question": [
            Case([ask(WHAT, im), _said(sc.sentence()), ask(color)], _color(sc)) for sc, im in shapes
        ],
        "shape: earlier picture, answer not in text": [
            Case(
                [ask(ground, im), _said(_ground(sc)), *hello, ask("What is in the image?")],
                sc.sentence(),
            )
            for sc, im in shapes
        ],
    }


def _counts_and_numbers(n: int) -> dict[str, list[Case]]:
    counts, numbers = draw_scenes(n, "count", 999), draw_scenes(n, "number", 999)
    read = [
        Case([ask("What number is written?", im)], f"The number is {sc.number}.")
        for sc, im in numbers
    ]
    short = [case for case, (sc, _) in zip(read, numbers) if len(sc.number) < 3]
    return {
        "count: How many shapes are there?": [
            Case(
                [ask("How many shapes are there?", im)],
                f"There are {NUMBER_WORDS[sc.n]} {plural(sc.shape)}.",
            )
            for sc, im in counts
        ],
        "count: What is in this image?": _described(counts),
        "number: What number is written?": read,
        "number: 1-2 digits": short,
        "blank: What is in this image?": _described(draw_scenes(n, "blank", 999)[: n // 4]),
    }


def _two_pictures(pairs: list[tuple[Drawn, Drawn]]) -> dict[str, list[Case]]:
    second, both, newest, first = [], [], [], []
    color = "What color is the shape?"
    for (s, a), (t, b) in pairs:
        second.append(Case([ask("What is in the second image?", a, b)], t.sentence()))
        both.append(Case([ask("Describe both images.", a, b)], describe_all((s, t))))
        newest.append(Case([ask(WHAT, a), _said(s.sentence()), ask(WHAT, b)], t.sentence()))
        talk = [ask(color, a), _said(_color(s)), ask(color, b), _said(_color(t))]
        first.append(Case([*talk, ask("What was in the first image?")], s.sentence()))
    return {
        "two pictures, one message: second image": second,
        "two pictures, one message: both": both,
        "two pictures, two turns: the new one": newest,
        "two pictures, two turns: back to the first": first,
    }


def _mixed(n: int) -> list[Case]:
    cases = []
    for i, (scene, image) in enumerate(draw_scenes(n, None, 1000)):
        question, wanted = question_and_answer(np.random.default_rng([1001, i]), scene)
        cases.append(Case([ask(question, image)], wanted))
    return cases


def _small_talk() -> dict[str, list[Case]]:
    def echoed(i: int) -> str:
        numbers = range(1 + i % 4)
        return " ".join(pick(np.random.default_rng([1002, i, j]), FILLER) for j in numbers)

    def counted(n: int) -> str:
        return " ".join(map(str, range(1, n + 1))) + "."

    limits = (3, 5, 8, 10, 12, 15, 20, 25, 30, 50, 100)
    digits = range(10)
    return {
        "text: fixed answers": [
            Case([ask(q)], answer) for asked, answer in FIXED for q in asked[:4]
        ],
        "text: count to n": [Case([ask(f"Count to {n}.")], counted(n)) for n in limits],
        "text: a + b": [
            Case([ask(f"What is {a} + {b}?")], f"{a} + {b} = {a + b}.")
            for a in digits
            for b in digits
        ],
        "text: repeat words": [
            Case([ask(f"Repeat: {said}")], said) for said in map(echoed, range(50))
        ],
        "text: remembers a name": [
            Case(
                [
                    ask(f"My name is {name}."),
                    _said(f"Nice to meet you, {name}."),
                    ask("What is my name?"),
                ],
                f"Your name is {name}.",
            )
            for name in NAMES
        ],
    }


def _described(drawn: list[Drawn]) -> list[Case]:
    return [Case([ask(WHAT, im)], sc.sentence()) for sc, im in drawn]


def _color(scene: Scene) -> str:
    return capital(scene.color) + "."


def _ground(scene: Scene) -> str:
    return f"The background is {scene.bg}."
