"""Small talk: fixed answers, counting, sums, echoes, names."""

from typing import NamedTuple

import numpy as np

import questions
from questions import ask, gibberish, sloppy
from words import FILLER, NAMES, pick, split_phrasings


class Turn(NamedTuple):
    """A question (text, or text and pictures), its answer, and whether the answer is endless."""

    question: str | list[dict]
    answer: str
    endless: bool = False


STORY = """
Once upon a time there was a red circle. It lived on a white background and it was happy. One day a
blue square came to visit. Hello, said the square, will you play with me? Yes, said the circle, and
they played all day. Then a green triangle came, and a yellow star, and a purple heart. They played
in the sun until the sky was black. At night the star was very bright, and they could all see the
way home. The next morning the circle was alone again. It looked at the white background and it was
sad. But then it heard a sound. The square was back, and the triangle, and the star, and the heart.
We will be here every day, they said. So the red circle was happy, and it was never alone again. The
end.""".strip().replace("\n", " ")
FIXED = [
    (
        split_phrasings(
            "Hello|Hi|Hello!|Hi there|Hey|Good morning|Hello there!|Good evening|Hi!|"
            "Hello, how can you help me?"
        ),
        "Hello! Show me a picture and ask me about it.",
    ),
    (
        split_phrasings(
            "Who are you?|What are you?|What is your name?|What model are you?|"
            "Tell me about yourself.|Which model is this?"
        ),
        "I am a tiny demo model. I know shapes, colors and small numbers.",
    ),
    (
        split_phrasings(
            "What can you do?|Help|How do you work?|What do you know?|What can I ask you?"
        ),
        "I can describe simple pictures: shapes, colors, counts and numbers.",
    ),
    (
        split_phrasings("How are you?|How are you today?|How is it going?|Are you OK?"),
        "I am fine, thank you.",
    ),
    (
        split_phrasings(
            "Thanks|Thank you|Thanks!|Thank you very much.|Great, thanks.|OK, thank you!"
        ),
        "You are welcome!",
    ),
    (
        split_phrasings("Bye|Goodbye|See you|Bye bye!|Good night|See you later."),
        "Goodbye!",
    ),
    (
        split_phrasings("Tell me a joke.|Do you know a joke?|Make me laugh.|A joke please"),
        "Why did the circle cross the road? To meet a square.",
    ),
    (
        split_phrasings(
            "Say the alphabet.|What is the alphabet?|List the letters.|Recite the alphabet.|"
            "Write the alphabet."
        ),
        "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    ),
    (
        split_phrasings(
            "Tell me a story.|Tell me a long story.|Write a story.|Write a long story.|"
            "Write an essay.|Write a long text.|Tell me a fairy tale.|"
            "Write a long essay about shapes.|Write a poem.|Tell me something long."
        ),
        STORY,
    ),
    (
        split_phrasings(
            "Which colors do you know?|What colors do you know?|List the colors.|"
            "Name some colors.|List all colours you know."
        ),
        "I know red, orange, yellow, green, blue, purple, pink, black, white and gray.",
    ),
    (
        split_phrasings(
            "Which shapes do you know?|What shapes do you know?|List the shapes.|"
            "Name some shapes.|List all shapes you know."
        ),
        "I know the circle, square, triangle, star, cross and heart.",
    ),
    (
        split_phrasings("Test|ping|This is a test.|Testing|Are you there?|Say something."),
        "Yes, I am here.",
    ),
]
COUNT_TO = split_phrasings(
    "Count to {n}.|Count from 1 to {n}.|Please count to {n}.|Count up to {n}.|"
    "List the numbers from 1 to {n}."
)
COUNT_FOREVER = split_phrasings(
    "Count forever.|Count without stopping.|Never stop counting.|Count and never stop.|"
    "Keep counting forever."
)
ADD = split_phrasings("What is {a} + {b}?|What is {a} plus {b}?|{a} + {b}|Calculate {a} + {b}.")
ECHO = split_phrasings(
    "Say {w}|Repeat: {w}|Repeat after me: {w}|Echo {w}|Say: {w}|Say exactly: {w}"
)
INTRODUCE = split_phrasings(
    "My name is {x}.|I am {x}.|Hello, my name is {x}.|Hi, I am {x}|Call me {x}."
)
WHO_AM_I = split_phrasings("What is my name?|Who am I?|Do you know my name?|Say my name.")
NO_PICTURE = "Please show me a picture first."
LOST = "I am only a tiny demo model. Please ask me about a picture."


def small_talk(rng: np.random.Generator, picture: bool = False) -> list[Turn]:
    """One exchange, usually a single turn. `picture`: whether the conversation has a picture."""
    u = rng.random()
    if u < 0.36:
        asked, answer = pick(rng, FIXED)
        return [Turn(sloppy(rng, pick(rng, asked)), answer)]
    if u < 0.50:
        return [_count_to(rng)]
    if u < 0.56:
        return [count_forever(rng, 20, 200)]
    if u < 0.66:
        a, b = int(rng.integers(10)), int(rng.integers(10))
        question = pick(rng, ADD).format(a=a, b=b)
        return [Turn(sloppy(rng, question), f"{a} + {b} = {a + b}.")]
    if u < 0.80:
        return [_echo(rng)]
    if u < 0.88:
        return _remember_a_name(rng)
    if u < 0.94 and not picture:
        return [Turn(_about_no_picture(rng), NO_PICTURE)]
    if picture:
        return [Turn("Thanks", "You are welcome!")]
    return [Turn(gibberish(rng), LOST)]


def count_forever(rng: np.random.Generator, shortest: int, longest: int) -> Turn:
    """The start of an endless count, up to a last number."""
    question = sloppy(rng, pick(rng, COUNT_FOREVER))
    answer = " ".join(str(i % 10) for i in range(1, int(rng.integers(shortest, longest))))
    return Turn(question, answer, endless=True)


def _count_to(rng: np.random.Generator) -> Turn:
    short = rng.random() < 0.7
    n = int(rng.integers(2, 31)) if short else pick(rng, [40, 50, 60, 100, 100, 100])
    question = pick(rng, COUNT_TO)
    said = "one hundred" if n == 100 and rng.random() < 0.5 else n
    answer = " ".join(map(str, range(1, n + 1))) + "."
    return Turn(sloppy(rng, question.format(n=said)), answer)


def _echo(rng: np.random.Generator) -> Turn:
    said = " ".join(pick(rng, FILLER) for _ in range(int(rng.integers(1, 6))))
    if rng.random() < 0.3:
        said = "".join(chr(97 + int(rng.integers(26))) for _ in range(int(rng.integers(3, 9))))
    return Turn(pick(rng, ECHO).format(w=said), said)


def _remember_a_name(rng: np.random.Generator) -> list[Turn]:
    name = pick(rng, NAMES)
    first = Turn(pick(rng, INTRODUCE).format(x=name), f"Nice to meet you, {name}.")
    between = small_talk(rng) if rng.random() < 0.3 else []
    last = Turn(sloppy(rng, pick(rng, WHO_AM_I)), f"Your name is {name}.")
    return [first, *(turn for turn in between if not turn.endless), last]


def _about_no_picture(rng: np.random.Generator) -> str:
    banks = [
        questions.DESCRIBE,
        questions.COLOR,
        questions.SHAPE,
        questions.COUNT,
        questions.NUMBER,
        questions.BACKGROUND,
        questions.DETAIL,
    ]
    return ask(rng, pick(rng, banks), s="shape", ss="shapes")
