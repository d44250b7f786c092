"""Whole conversations, as messages and as the text that the chat template makes of them."""

import numpy as np
from PIL import Image

import questions
from answers import question_and_answer, question_kinds
from pictures import Scene, make_scene
from questions import ask, gibberish
from small_talk import Turn, small_talk
from words import NUMBER_WORDS, ORDINALS, pick, split_phrasings, split_words

DEFAULT_SYSTEM = "You are a helpful assistant."
SYSTEMS = split_phrasings("""
You are a helpful assistant that looks at pictures.|You are a tiny demo model.|Answer briefly.|
Be concise and polite.|You describe images.|You are an expert in shapes and colors.|
Answer in English.|You are a careful assistant. Never guess.|You are Qwen.|
You are a vision assistant running on a Mac.|Always tell the truth.|Keep your answers short.|
You are a friendly assistant.|Help the user.|
You answer questions about images in one sentence.""")
RULES = split_phrasings("""
Start every answer with the word {w}.|Begin every answer with {w}.|
You are a pirate. Start every answer with {w}.|Always start your reply with the word {w}.""")
RULE_WORDS = split_words("Ahoy Indeed Certainly Aye Listen Hooray Behold Banana")

Message = dict  # {"role": ..., "content": text or parts}, as OpenAI has it, with PIL images
Conversation = tuple[list[Message], bool]


def conversation(rng: np.random.Generator) -> Conversation:
    """Messages, and whether the last answer has no end."""
    u = rng.random()
    images_first = rng.random() < 0.6  # mlx_vlm's own prompt helper puts them after the text
    if u < 0.68:
        turns = _about_one_picture(rng, images_first)
    elif u < 0.82:
        turns = _about_several_pictures(rng, images_first)
    else:
        turns = _without_picture(rng)
    return dress(rng, turns)


def content(images_first: bool, images: list[Image.Image], text: str) -> list[dict]:
    """A message's content with pictures, before or after its text."""
    pictures = [{"type": "image", "image": image} for image in images]
    words = [{"type": "text", "text": text}]
    return pictures + words if images_first else words + pictures


def dress(rng: np.random.Generator, turns: list[Turn]) -> Conversation:
    """Turns as messages under a system prompt, some with a rule that every answer keeps."""
    system, start, u = DEFAULT_SYSTEM, "", rng.random()
    if u < 0.20:
        system = pick(rng, SYSTEMS) if rng.random() < 0.6 else gibberish(rng)
    elif u < 0.30:
        word = pick(rng, RULE_WORDS)
        system, start = pick(rng, RULES).format(w=word), f"{word}! "
    elif u < 0.32:
        system = ""
    messages = [{"role": "system", "content": system}]
    for turn in turns:
        messages.append({"role": "user", "content": turn.question})
        messages.append({"role": "assistant", "content": start + turn.answer})
    return messages, turns[-1].endless


def render(
    messages: list[Message], endless: bool = False
) -> tuple[list[tuple[str, bool]], list[Image.Image]]:
    """(text, is it to be learnt) pieces, exactly as chat_template.jinja writes them; pictures."""
    pieces, images = [], []
    for i, message in enumerate(messages):
        head, body = f"<|im_start|>{message['role']}\n", message["content"]
        if message["role"] == "assistant":
            end = "" if endless and i == len(messages) - 1 else "<|im_end|>"
            pieces += [(head, False), (body + end, True), ("\n", False)]
            continue
        if not isinstance(body, str):
            images += [part["image"] for part in body if part["type"] == "image"]
            body = "".join(
                part.get("text", "<|vision_start|><|image_pad|><|vision_end|>") for part in body
            )
        pieces.append((f"{head}{body}<|im_end|>\n", False))
    return pieces, images


def _about_one_picture(rng: np.random.Generator, images_first: bool) -> list[Turn]:
    """One to six questions, now and then with small talk before or between."""
    scene, image = make_scene(rng)
    turns = []
    if rng.random() < 0.06:
        turns += [turn for turn in small_talk(rng) if not turn.endless]
    for i, kind in enumerate(question_kinds(rng, scene, int(rng.integers(1, 7)))):
        if i and rng.random() < 0.06:
            turns += [turn for turn in small_talk(rng, picture=True) if not turn.endless]
        question, answer = question_and_answer(rng, scene, kind)
        turns.append(Turn(question if i else content(images_first, [image], question), answer))
    return turns


def _about_several_pictures(rng: np.random.Generator, images_first: bool) -> list[Turn]:
    """Two or three pictures in one message or one after the other, and questions about them."""
    k = 2 if rng.random() < 0.75 else 3
    scenes, images = zip(*(make_scene(rng) for _ in range(k)))
    everything = describe_all(scenes)
    later = []
    for i in rng.permutation(k + 1):
        if i < k:
            is_last = i == k - 1 and rng.random() < 0.25
            question = ask(rng, questions.FIRST, o="last" if is_last else ORDINALS[i])
            later.append(Turn(question, scenes[i].sentence()))
        else:
            many = {"k": NUMBER_WORDS[k], "b": "both" if k == 2 else "all"}
            later.append(Turn(ask(rng, questions.ALL, **many), everything))
    turns = []
    if rng.random() < 0.5:
        first = later.pop(0)
        if rng.random() >= 0.8:
            first = Turn(ask(rng, questions.DESCRIBE), everything)
        turns.append(first._replace(question=content(images_first, images, first.question)))
    else:
        for i, (scene, image) in enumerate(zip(scenes, images)):
            if i and rng.random() < 0.6:
                question, answer = ask(rng, questions.NEXT), scene.sentence()
            else:
                question, answer = question_and_answer(rng, scene)
            turns.append(Turn(content(images_first, [image], question), answer))
    return turns + later[: int(rng.integers(0, 4))]


def describe_all(scenes: tuple[Scene, ...]) -> str:
    """The answer to a question about all pictures of a message."""
    named = zip(ORDINALS, scenes)
    return " ".join(f"The {nth} image shows {scene.caption()}." for nth, scene in named)


def _without_picture(rng: np.random.Generator) -> list[Turn]:
    """One to three exchanges of small talk; an endless answer can only be the last."""
    turns = []
    for _ in range(int(rng.integers(1, 4))):
        turns += small_talk(rng)
    ends = [i for i, turn in enumerate(turns) if turn.endless]
    return turns[: ends[0] + 1] if ends else turns
