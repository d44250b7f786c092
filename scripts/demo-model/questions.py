"""The phrasings of the questions, and how people vary them."""

import numpy as np

from words import FILLER, pick, split_phrasings

NOUNS = ["image", "picture", "photo", "drawing", "screenshot"]
DESCRIBE = split_phrasings("""
What is in this {n}?|What is in the {n}?|What's in this {n}?|Describe the {n}.|
Describe this {n}.|Describe the {n} in one sentence.|What do you see?|
What can you see in this {n}?|What do you see in the {n}?|What does this {n} show?|
What is shown in the {n}?|What is this?|What is that?|Caption this {n}.|Tell me what you see.|
What am I looking at?|Give a short description of the {n}.|Can you describe this {n} for me?|
Write a caption for the {n}.|Look at this {n}. What is it?|Explain this {n}.|What is it?|
Describe it.|Describe what you see.|What is here?|Analyze this {n}.|What is on the {n}?|
Tell me about this {n}.|Describe.|Which object is in the {n}?|What object is shown?|
Summarize the {n}.|What is depicted here?|Describe this {n} briefly.|
What is in this {n}? Answer in one sentence.|What do you see here?|What's this?|
What's in the {n}?|Describe the content of the {n}.|What does the {n} contain?|
Identify the object.|What object is this?|What is the main object?""")
COLOR = split_phrasings("""
What color is the {s}?|What colour is the {s}?|Which color is the {s}?|Which colour is it?|
What color is it?|What is the color of the {s}?|What is the colour of the {s}?|
Tell me the color of the {s}.|Name the color.|Color?|What color is the {s} in the {n}?|
What color does it have?|What's the color of it?|What colour?|And the color?""")
SHAPE = split_phrasings("""
What shape is it?|Which shape is it?|What shape is in the {n}?|What shape do you see?|
Name the shape.|Shape?|What kind of shape is this?|Which shape is shown?|What is the shape?|
What is the shape in the {n}?|And the shape?|Tell me the shape.|
What shape is shown in this {n}?|What shape is this?""")
COUNT = split_phrasings("""
How many shapes are there?|How many shapes are in the {n}?|How many objects are there?|
Count the shapes.|How many {ss} are there?|How many {ss} do you see?|How many are there?|
How many?|Count the {ss}.|How many things are in this {n}?|Count the objects in the {n}.|
What is the number of shapes?|How many shapes do you see?|How many {ss} are in the {n}?""")
NUMBER = split_phrasings("""
What number is written?|What number is it?|Which number is shown?|What number do you see?|
Read the number.|What number is in the {n}?|What is the number?|What does it say?|
Read the text.|What is written here?|What is written in the {n}?|Which number is this?|
What number is written in the {n}?|What number is this?|Read the digits.""")
BACKGROUND = split_phrasings("""
What color is the background?|What colour is the background?|Which color is the background?|
What is the background color?|What is the colour of the background?|And the background?|
Background color?|Describe the background.""")
DETAIL = split_phrasings("""
Describe the {n} in detail.|Describe this {n} in detail.|Describe the {n} in great detail.|
Give a long description of the {n}.|Describe everything you see in the {n}.|
Write a detailed description of this {n}.|Tell me everything about this {n}.|
Explain the {n} in detail.|Describe it in detail.|Describe the {n} step by step.""")
FIRST = split_phrasings("""
What is in the {o} {n}?|Describe the {o} {n}.|What does the {o} {n} show?|
What was in the {o} {n}?|What is the {o} {n}?|What about the {o} {n}?|And the {o} one?|
What did the {o} {n} show?""")
ALL = split_phrasings("""
What is in these {n}s?|Describe {b} {n}s.|What do these {n}s show?|Describe the {k} {n}s.|
What is in the {k} {n}s?|What do you see in these {n}s?|Compare the {n}s.|
Compare these {k} {n}s.|What is the difference between the {n}s?|Describe the {n}s.""")
NEXT = split_phrasings("""
What is in this {n}?|And this one?|What about this one?|Now describe this {n}.|And this {n}?|
What is this?|Describe this {n}.""")
FOREIGN = split_phrasings("""
¿Qué hay en la imagen?|Was ist auf dem Bild?|Was siehst du?|Qu'est-ce que c'est ?|
这张图片里有什么？|この画像には何がありますか？|Che cosa vedi?|Что на картинке?|描述这张图片。|
Décris l'image.""")
POLITE_STARTS = ["Please ", "Hi, ", "OK, ", "Now ", "So, ", "Hello! "]
POLITE_ENDS = split_phrasings(
    "Thanks.|Be brief.|Please.|Answer in one sentence.|Answer in one word.|"
    "Reply with one word.|Thank you!"
)


def ask(rng: np.random.Generator, bank: list[str], **slots: str) -> str:
    """A question in one of its phrasings, sometimes polite, sloppy or lower case."""
    phrase = pick(rng, bank)
    noun = pick(rng, NOUNS) if rng.random() < 0.5 else "image"
    return sloppy(rng, phrase.format(n=noun, **slots))


def sloppy(rng: np.random.Generator, question: str) -> str:
    """Varies a question the way a hurried or a polite person may write it."""
    if rng.random() < 0.10:
        start = pick(rng, POLITE_STARTS)
        question = start + (question if rng.random() < 0.5 else question[0].lower() + question[1:])
    if rng.random() < 0.06:
        question += " " + pick(rng, POLITE_ENDS)
    if rng.random() < 0.12:
        question = question.lower()
    if rng.random() < 0.12:
        question = question.rstrip("?.!")
    elif rng.random() < 0.03:
        question += pick(rng, ["\n", "?", "!", " ", "..."])
    return question


def gibberish(rng: np.random.Generator) -> str:
    """Nonsense words, odd characters, or a question in a language that the model does not know."""
    u = rng.random()
    if u < 0.6:
        words = [pick(rng, FILLER) for _ in range(int(rng.integers(1, 12)))]
        return " ".join(words) + pick(rng, ["", ".", "?", "!"])
    if u < 0.8:
        return "".join(_odd_character(rng) for _ in range(int(rng.integers(1, 10))))
    return pick(rng, FOREIGN)


def _odd_character(rng: np.random.Generator) -> str:
    ascii_ = rng.integers(33, 127)
    latin = rng.integers(0xC0, 0x17F)
    chinese = rng.integers(0x4E00, 0x4F00)
    return chr(int(rng.choice([ascii_, latin, chinese, 0x1F600 + rng.integers(64)])))
