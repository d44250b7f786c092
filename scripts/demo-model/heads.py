"""Auxiliary heads on the image tokens, used only in training.

With them, the vision tower learns much faster than from text. They are not part of the model.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from batches import COLOR_NAMES, look, stack
from model import WIDTH
from pictures import COLORS, make_scene
from pixels import Grid
from shapes import SHAPES

PICTURES = 32  # in a batch


class Heads(nn.Module):
    """Predicts the object whose centre is in a token's cell, its colour, and the background."""

    def __init__(self) -> None:
        super().__init__()
        self.here, self.what = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, len(SHAPES) + 10)
        self.color, self.ground = nn.Linear(WIDTH, len(COLORS)), nn.Linear(WIDTH, len(COLOR_NAMES))

    def forward(self, seen: list[tuple[Tensor, ...]]) -> tuple[Tensor, np.ndarray]:
        """The loss, and for the log the loss and the shares of correct predictions."""
        tokens, what, color = (
            torch.cat([sight[i].flatten(0, 1) for sight in seen]) for i in range(3)
        )
        ground = torch.cat([sight[3] for sight in seen])
        grounded = self.ground(torch.cat([sight[0].mean(1) for sight in seen]))
        at = what >= 0
        here, tokens, what, color = self.here(tokens)[:, 0], tokens[at], what[at], color[at]
        named, colored = self.what(tokens), self.color(tokens)
        loss = 5 * F.binary_cross_entropy_with_logits(here, at.float())
        loss = loss + 0.5 * F.cross_entropy(grounded, ground)
        loss = loss + _mean_cross_entropy(named, what) + _mean_cross_entropy(colored, color)
        found = _share(here[at] > 0)
        right = [
            _share(logits.argmax(-1) == wanted)
            for logits, wanted in ((named, what), (colored, color), (grounded, ground))
        ]
        return loss, np.array([loss.item(), found, *right])


def draw_batch(seed: list[int]) -> dict[Grid, list[Tensor]]:
    """A batch of pictures with the same aspect ratio, and the targets of the heads."""
    rng = np.random.default_rng(seed)
    aspect = 1.0
    if rng.random() >= 0.75:
        aspect = rng.uniform(1.1, 2.0) ** (1 if rng.random() < 0.7 else -1)
    groups: dict[Grid, list[tuple]] = {}
    for _ in range(PICTURES):
        grid, *sight = look(make_scene(rng, aspect=aspect)[1])
        groups.setdefault(grid, []).append(tuple(sight))
    return stack(groups)


def _mean_cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """The mean, or 0 if all pictures in a batch are blank."""
    return F.cross_entropy(logits, wanted, reduction="sum") / max(len(wanted), 1)


def _share(right: Tensor) -> float:
    return right.float().mean().item() if len(right) else 1.0
