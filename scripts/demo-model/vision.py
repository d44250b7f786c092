"""The vision tower of the Qwen2-VL architecture, with Hugging Face's parameter names."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixels import MERGE, PATCH, TEMPORAL, Grid

WIDTH, DEPTH, HEADS, RATIO = 128, 3, 4, 3
THETA = 10000.0


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of queries or keys."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class VisionAttention(nn.Module):
    """Attention between all patches of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        n, s, _ = x.shape
        q, k, v = self.qkv(x).view(n, s, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        o = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        return self.proj(o.transpose(1, 2).reshape(n, s, WIDTH))


class VisionMLP(nn.Module):
    """Two layers with quick GELU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, RATIO * WIDTH), nn.Linear(RATIO * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class VisionBlock(nn.Module):
    """Attention and MLP, with pre-normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn, self.mlp = VisionAttention(), VisionMLP()

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class Visual(nn.Module):
    """Patches of pictures of one grid -> one token of width `out` for each 2 x 2 patches."""

    def __init__(self, out: int) -> None:
        super().__init__()
        kernel = (TEMPORAL, PATCH, PATCH)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, WIDTH, kernel, kernel, bias=False)})
        self.blocks = nn.ModuleList(VisionBlock() for _ in range(DEPTH))
        merged = WIDTH * MERGE**2
        mlp = nn.Sequential(nn.Linear(merged, merged), nn.GELU(), nn.Linear(merged, out))
        self.merger = nn.ModuleDict({"ln_q": nn.LayerNorm(WIDTH, eps=1e-6), "mlp": mlp})

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:
        """[n, rows * columns, 3*2*8*8] -> [n, rows * columns / 4, out]"""
        cos, sin = _angles(grid)
        x = F.linear(patches, self.patch_embed["proj"].weight.flatten(1))
        for block in self.blocks:
            x = block(x, cos, sin)
        x = self.merger["ln_q"](x)
        return self.merger["mlp"](x.reshape(x.shape[0], -1, WIDTH * MERGE**2))


def _angles(grid: Grid) -> tuple[Tensor, Tensor]:
    """2-D rotary angles, in the order of the patches: merged cell by merged cell."""
    rows, columns = grid
    shape = (rows // 2, columns // 2, 2, 2)
    r = torch.arange(rows).view(rows // 2, 2, 1, 1).permute(0, 2, 1, 3).expand(shape)
    c = torch.arange(columns).view(1, 1, columns // 2, 2).permute(0, 2, 1, 3).expand(shape)
    half = WIDTH // HEADS // 2
    inverse = 1.0 / THETA ** (torch.arange(0, half, 2).float() / half)
    f = torch.cat((r.reshape(-1)[:, None] * inverse, c.reshape(-1)[:, None] * inverse), -1)
    f = torch.cat((f, f), -1)
    return f.cos(), f.sin()
