"""The second round: practice where the first round is weak, mixed with ordinary conversations.

Long numbers, counts, positions, and many more phrasings. The held-out phrasings of `evaluate.py`
must not appear here.
"""

import numpy as np

import conversations
from answers import position, question_and_answer, question_kinds, shapes_to_count
from conversations import Conversation, content, dress
from pictures import Scene, make_scene
from questions import sloppy
from small_talk import Turn, count_forever
from words import pick, split_phrasings, split_words

NOUNS = split_words(
    "image picture photo drawing screenshot photograph graphic illustration sketch attachment"
)
POINTERS = ["the", "the", "this", "this", "my"]
DESCRIBE = split_phrasings("""
Can you say what is in {t} {n}?|Can you tell what is on {t} {n}?|Could you describe {t} {n}?|
Could you say what is shown here?|Would you describe {t} {n} for me?|
Do you know what is in {t} {n}?|Do you see what is in {t} {n}?|
I sent you this {n}. What does it show?|Here is my {n}. Describe it.|
Here is the {n}. What do you see?|I have this {n} here. What can be seen?|
This is my {n}. What is in it?|I made this {n}. What's on it?|
Attached is the {n}. What does it contain?|Have a look at {t} {n} and describe it.|
Take a look at {t} {n}. What is there?|Look at the attached {n} and say what you see.|
What can be seen in {t} {n}?|What can one see here?|What appears in {t} {n}?|
What does {t} {n} depict?|What is displayed in {t} {n}?|What is drawn in {t} {n}?|
What is pictured?|What is there in {t} {n}?|What is going on in {t} {n}?|What are we looking at?|
What have I drawn?|What did I draw?|What is the subject of {t} {n}?|What is {t} {n} about?|
What would you call this?|What's that?|What's here?|What do you notice in {t} {n}?|
What do you recognize?|What can be found inside {t} {n}?|What stands out in {t} {n}?|
Give me a description of {t} {n}.|Give a caption for {t} {n}.|Provide a short caption.|
Provide a description of {t} {n}.|Short description please.|One sentence about {t} {n}, please.|
Say what is in {t} {n}.|Say what you see.|Tell me what is shown here.|
Tell me what {t} {n} contains.|Let me know what is in {t} {n}.|Please explain what is shown.|
Please look at {t} {n} and tell me what it is.|Describe {t} {n} in ten words.|
Describe {t} {n} in short.|Describe {t} {n} in a single line.|Describe {t} {n} in one line.|
Describe {t} {n} as shortly as you can.|Describe {t} {n} in simple terms.|
Describe {t} {n} in brief.|Describe {t} {n} to me.|Describe the object in {t} {n}.|
Describe what is shown in {t} {n}.|Describe the scene.|Recognize the object in {t} {n}.|
Name what you see.|Name the object in {t} {n}.|Which thing is in {t} {n}?|wat is this|
what is it??|whats in {t} {n}|whats this|what r u seeing|pls describe|describe pls|{n}?|
and what is this?|Can u describe {t} {n}|I can't see {t} {n}. What is in it?|
My {n} is attached. Please describe it.|I need a caption for {t} {n}.|
I would like a description of {t} {n}.|Analyse {t} {n} and describe the content.|
Please caption {t} {n}.|Use one sentence to describe {t} {n}.|
In one sentence, what is in {t} {n}?|In short, what does {t} {n} show?|Briefly, what is this?|
So what do we have here?|Hey, what does {t} {n} show?|Quick question: what is in {t} {n}?|
Detect the object.|Classify {t} {n}.""")
NUMBER = split_phrasings("""
What number is drawn here?|Which digits do you see?|Which digits are shown?|What are the digits?|
Tell me the number.|Type the number you see.|Please read the number in {t} {n}.|
What does {t} {n} say?|Read what is written.|What text is in {t} {n}?|
Extract the number from {t} {n}.|Transcribe {t} {n}.|Which number can you read?|Number?|
And the number?|Say the number.""")
COUNT = split_phrasings("""
How many shapes can you see?|How many {ss} can you count?|Give me the number of {ss}.|
Tell me how many shapes there are.|How many {ss} does {t} {n} show?|How many of them are there?|
Number of shapes?|Can you count the {ss}?|What is the count of {ss}?""")
WHERE = split_phrasings("""
Where is the {s}?|Where is it?|Where is the {s} in {t} {n}?|Where in {t} {n} is the {s}?|
What is the position of the {s}?|In which part of {t} {n} is the {s}?|Where can I find the {s}?|
And where is it?""")
BANKS = {"describe": DESCRIBE, "number": NUMBER, "count": COUNT}
KINDS = ["number"] * 6 + ["count"] * 6 + ["shape"] * 7 + ["blank"]
DIGITS = (1, 2, 2, 3, 3, 3, 3)
LONG = (200, 1900)  # numbers of two tokens each, nearly filling the context
FIRST_QUESTIONS = {
    "number": ["number", "number", "describe"],
    "count": ["count", "count", "describe"],
    "shape": ["describe", "describe", "describe", "where", "detail"],
    "blank": ["describe"],
}


def practice(rng: np.random.Generator) -> Conversation:
    """An ordinary conversation, or a short one about a kind of picture that needs practice."""
    u = rng.random()
    if u < 0.30:
        return conversations.conversation(rng)
    if u < 0.34:
        return dress(rng, [count_forever(rng, *LONG)])
    scene, image = make_scene(rng, pick(rng, KINDS), digits=DIGITS)
    kinds = [pick(rng, FIRST_QUESTIONS[scene.kind])]
    if rng.random() < 0.4:
        kinds += [kind for kind in question_kinds(rng, scene, 2) if kind != kinds[0]]
    turns = [Turn(*_question_and_answer(rng, scene, kind)) for kind in kinds]
    images_first = rng.random() < 0.6
    first = content(images_first, [image], turns[0].question)
    return dress(rng, [turns[0]._replace(question=first), *turns[1:]])


def ask(rng: np.random.Generator, bank: list[str], **slots: str) -> str:
    """A question in one of the new phrasings, varied like the old ones."""
    phrase, pointer = pick(rng, bank), pick(rng, POINTERS)
    noun = pick(rng, NOUNS) if rng.random() < 0.5 else "image"
    return sloppy(rng, phrase.format(t=pointer, n=noun, **slots))


def _question_and_answer(rng: np.random.Generator, scene: Scene, kind: str) -> tuple[str, str]:
    """A question in an old phrasing or, half of the time, a new one."""
    if kind == "where":
        return ask(rng, WHERE, s=pick(rng, [scene.shape, "shape"])), position(scene)
    question, answer = question_and_answer(rng, scene, kind)
    if rng.random() < 0.5:
        counted = shapes_to_count(rng, scene)
        if kind in BANKS:
            question = ask(rng, BANKS[kind], ss=counted)
    return question, answer
