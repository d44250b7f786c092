"""Conversations as batches of tokens, positions, pictures and labels."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from conversations import Conversation, render
from pictures import COLORS
from pixels import MERGE, Grid, patchify

COLOR_NAMES = [*COLORS, "gray"]
IGNORED = -100  # the label that torch's cross entropy skips


class Sight(NamedTuple):
    """A picture's patches, and what `heads.Heads` reads at each image token."""

    grid: Grid
    patches: np.ndarray
    what: np.ndarray  # the class of the object whose centre is in the token's cell
    color: np.ndarray  # that object's colour
    ground: int  # the background's colour


class Example(NamedTuple):
    """One conversation; positions are (time, row, column) for each token."""

    ids: list[int]
    labels: list[int]
    positions: list[tuple[int, int, int]]
    sights: list[Sight]


class Batch(NamedTuple):
    """What the model takes. Pictures: grid -> [patches, what, color, ground, slots]."""

    ids: Tensor
    positions: Tensor
    pictures: dict[Grid, list[Tensor]]
    labels: Tensor


def batches(
    tokenizer: Tokenizer,
    converse: Callable[[np.random.Generator], Conversation],
    seed: list[int],
    tokens: int,
    pool: int,
) -> Iterator[Batch]:
    """Endless batches of about `tokens` tokens, with conversations of like length together."""
    step = 0
    while True:
        rng = np.random.default_rng([*seed, step])
        step += 1
        examples = [_encode(tokenizer, *converse(rng)) for _ in range(pool)]
        groups: list[list[Example]] = [[]]
        for example in sorted(examples, key=lambda example: len(example.ids)):
            if groups[-1] and len(example.ids) * (len(groups[-1]) + 1) > tokens:
                groups.append([])
            groups[-1].append(example)
        for i in rng.permutation(len(groups)):
            yield _collate(groups[i], tokenizer.token_to_id("<|image_pad|>"))


def look(image: Image.Image) -> Sight:
    """A drawn picture as the tower gets it, with its targets."""
    scene, (patches, grid) = image.info["scene"], patchify(image)
    rows, columns = grid[0] // MERGE, grid[1] // MERGE
    what, color = np.full(rows * columns, IGNORED), np.full(rows * columns, IGNORED)
    for kind, x, y in scene.objects:
        cell = min(int(y * rows), rows - 1) * columns + min(int(x * columns), columns - 1)
        what[cell], color[cell] = kind, COLOR_NAMES.index(scene.color)
    return Sight(grid, patches, what, color, COLOR_NAMES.index(scene.bg))


def stack(groups: dict[Grid, list[tuple]]) -> dict[Grid, list[Tensor]]:
    """Tuples of arrays, grouped by grid, as one tensor for each place in the tuple."""
    return {
        grid: [torch.from_numpy(np.stack(arrays)) for arrays in zip(*group)]
        for grid, group in groups.items()
    }


def _encode(tokenizer: Tokenizer, messages: list[dict], endless: bool) -> Example:
    """One placeholder of a picture becomes all of its image tokens, with 2-D positions."""
    pieces, images = render(messages, endless)
    sights = [look(image) for image in images]
    pad, left = tokenizer.token_to_id("<|image_pad|>"), iter(sights)
    ids, is_target, positions, start = [], [], [], 0
    for text, learnt in pieces:
        for token in tokenizer.encode(text).ids:
            if token == pad:
                rows, columns = (side // MERGE for side in next(left).grid)
                ids += [pad] * (rows * columns)
                is_target += [False] * (rows * columns)
                positions += [
                    (start, start + y, start + x) for y in range(rows) for x in range(columns)
                ]
                start += max(rows, columns)
            else:
                ids.append(token)
                is_target.append(learnt)
                positions.append((start, start, start))
                start += 1
    labels = [token if learnt else IGNORED for token, learnt in zip(ids[1:], is_target[1:])]
    return Example(ids, [*labels, IGNORED], positions, sights)


def _collate(examples: list[Example], pad: int) -> Batch:
    n, length = len(examples), max(len(example.ids) for example in examples)
    ids, labels = np.zeros((n, length), np.int64), np.full((n, length), IGNORED, np.int64)
    positions = np.zeros((3, n, length), np.int64)
    pictures: dict[Grid, list[tuple]] = {}
    for i, example in enumerate(examples):
        size = len(example.ids)
        ids[i, :size], labels[i, :size] = example.ids, example.labels
        positions[:, i, :size] = np.array(example.positions).T
        slots = np.flatnonzero(ids[i, :size] == pad) + i * length
        for grid, *sight in example.sights:
            here, slots = np.split(slots, [len(sight[1])])
            pictures.setdefault(grid, []).append((*sight, here))
    return Batch(
        *map(torch.from_numpy, (ids, positions)), stack(pictures), torch.from_numpy(labels)
    )
