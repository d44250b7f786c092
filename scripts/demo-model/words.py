"""English words and grammar for pictures, questions and answers."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

ORDINALS = ["first", "second", "third"]
NUMBER_WORDS = ["no", "one", "two", "three", "four", "five"]


def split_words(text: str) -> list[str]:
    """Splits a list of words."""
    return text.split()


def split_phrasings(text: str) -> list[str]:
    """Splits a list of phrases, separated by "|" and optional line breaks."""
    return [phrase.strip() for phrase in text.replace("\n", "").split("|")]


NAMES = split_words("""
Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kim Leo Mia Noah Olga Paul Rosa Sam Tom Uma
Vera Will Zoe Max Lily Omar""")
FILLER = split_words("""
apple river seven window garden music table orange cloud silver market yellow paper stone bridge
morning coffee winter summer engine doctor letter mountain train kitchen island forest button
camera dragon pepper rocket banana lemon tiger zebra candle pencil planet guitar violin basket
carpet ladder mirror needle ocean parrot rabbit saddle tunnel umbrella valley wagon anchor bottle
castle desert eagle feather glove hammer iron jacket kettle lamp magnet napkin oyster pillow quilt
robot sailor ticket uncle vessel whale yogurt the of and to a in is it you that he was for on are
with as I his they be at one have this from or had by hot but some what there we can out other
were all your when up use word how said an each she which do their time if will way about many
then them would write like so these her long make thing see him two has look more day could go
come did my sound no most number who over know water than call first people may down side been now
find any new work part please code file error list data make test run open close print name value
server model token app menu bar file size""")


def article(word: str) -> str:
    """The article for a word: "a" or "an"."""
    return "an" if word[0] in "aeiou" else "a"


def plural(shape: str) -> str:
    """The plural of a shape's name."""
    return shape + ("es" if shape == "cross" else "s")


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def pick(rng: np.random.Generator, choices: Sequence[Item]) -> Item:
    """A random choice, all equally likely."""
    return choices[int(rng.integers(len(choices)))]
