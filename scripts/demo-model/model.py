"""The whole model: vision tower and language model of the Qwen2-VL architecture.

Parameters have Hugging Face's names, so that mlx_vlm can load the weights.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixels import Grid
from tokenizer import VOCABULARY
from vision import Visual, rotate

WIDTH, LAYERS, HEADS, KV_HEADS, MLP_WIDTH = 128, 4, 4, 2, 384
THETA, SECTIONS = 10000.0, [4, 6, 6]  # mRoPE: time, height, width of half a head
HEAD_WIDTH = WIDTH // HEADS


class Attention(nn.Module):
    """Causal attention with grouped queries."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(WIDTH, KV_HEADS * HEAD_WIDTH)
        self.v_proj = nn.Linear(WIDTH, KV_HEADS * HEAD_WIDTH)
        self.o_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        n, s, _ = x.shape
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (p(x).view(n, s, -1, HEAD_WIDTH).transpose(1, 2) for p in projections)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = (y.repeat_interleave(HEADS // KV_HEADS, 1) for y in (k, v))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(o.transpose(1, 2).reshape(n, s, WIDTH))


class MLP(nn.Module):
    """SwiGLU."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(WIDTH, MLP_WIDTH, bias=False)
        self.up_proj = nn.Linear(WIDTH, MLP_WIDTH, bias=False)
        self.down_proj = nn.Linear(MLP_WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention and MLP, with pre-normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.post_attention_layernorm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.self_attn, self.mlp = Attention(), MLP()

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen2VL(nn.Module):
    """1.79 million parameters. The output layer shares the weights of the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = Visual(WIDTH)
        self.model = nn.ModuleDict(
            {
                "embed_tokens": nn.Embedding(VOCABULARY, WIDTH),
                "layers": nn.ModuleList(Layer() for _ in range(LAYERS)),
                "norm": nn.RMSNorm(WIDTH, eps=1e-6),
            }
        )
        self._initialize()

    def forward(
        self, ids: Tensor, positions: Tensor, pictures: dict[Grid, list[Tensor]], labels: Tensor
    ) -> tuple[Tensor, Tensor, list[tuple[Tensor, ...]]]:
        """Logits where there is a label, those labels, and the tower's output with its targets.

        ids and labels are [n, s], positions [3, n, s]; pictures are as in `batches.Batch`.
        """
        flat = self.model["embed_tokens"](ids).view(-1, WIDTH)
        seen = []
        for grid, (patches, *targets, slots) in pictures.items():
            views = self.visual(patches, grid)
            seen.append((views, *targets))
            flat = flat.index_copy(0, slots.flatten(), views.flatten(0, 1))
        x = flat.view(*ids.shape, WIDTH)
        cos, sin = _angles(positions)
        for layer in self.model["layers"]:
            x = layer(x, cos, sin)
        keep = labels.flatten() >= 0
        kept = self.model["norm"](x).view(-1, WIDTH)[keep]
        return kept @ self.model["embed_tokens"].weight.T, labels.flatten()[keep], seen

    def _initialize(self) -> None:
        residual = ("o_proj.weight", "down_proj.weight", "attn.proj.weight", "fc2.weight")
        for name, p in self.named_parameters():
            if p.dim() > 1:
                std = 0.7 / math.sqrt(p[0].numel()) / (2 if name.endswith(residual) else 1)
                nn.init.normal_(p, std=0.02 if "embed" in name else std)
            elif name.endswith("bias"):
                nn.init.zeros_(p)


def _angles(positions: Tensor) -> tuple[Tensor, Tensor]:
    """mRoPE: each section of the frequencies uses its own position (time, row or column)."""
    inverse = THETA ** (torch.arange(0, HEAD_WIDTH, 2).float() / HEAD_WIDTH)
    f = positions[..., None].float() / inverse  # [3, n, s, HEAD_WIDTH / 2]
    f = torch.cat([part[i] for i, part in enumerate(f.split(SECTIONS, -1))], -1)
    f = torch.cat((f, f), -1)
    return f.cos()[:, None], f.sin()[:, None]
