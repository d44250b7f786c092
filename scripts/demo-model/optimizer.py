"""Muon for the matrices, AdamW for the rest."""

import math

import torch
from torch import Tensor, nn

WARM_UP = 100  # steps
RATE, MUON_RATE = 2e-3, 4e-3
HEADS = ("here", "what", "color", "ground")


class Optimizer:
    """Linear warm-up, then cosine decay from `peak` to `peak * floor` of the base rates."""

    def __init__(
        self, modules: list[nn.Module], steps: int, floor: float, peak: float = 1.0
    ) -> None:
        named = [pair for module in modules for pair in module.named_parameters()]
        self._parameters = [p for _, p in named]
        self._parts = [
            torch.optim.Muon(
                [p for name, p in named if _is_matrix(name, p)],
                lr=MUON_RATE * peak,
                weight_decay=0.02,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                [p for name, p in named if not _is_matrix(name, p)],
                lr=RATE * peak,
                betas=(0.9, 0.98),
                weight_decay=0.0,
                fused=True,
            ),
        ]

        def share(step: int) -> float:
            cosine = 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))
            return min(1, (step + 1) / WARM_UP) * (floor + (1 - floor) * cosine)

        self._schedules = [torch.optim.lr_scheduler.LambdaLR(part, share) for part in self._parts]

    def update(self, loss: Tensor) -> None:
        """One optimization step. The norm of the gradient is clipped at 1."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in self._parameters if p.grad is not None], 1.0)
        for part in (*self._parts, *self._schedules):
            part.step()


def _is_matrix(name: str, p: Tensor) -> bool:
    return p.dim() == 2 and "embed_tokens" not in name and not name.startswith(HEADS)
