"""Converts pictures to patches for the vision tower, like mlx_vlm's processor.

`evaluate.py` asserts that both produce the same pixels.
"""

import math

import numpy as np
from PIL import Image

PATCH, MERGE, TEMPORAL = 8, 2, 2
MIN_PIXELS, MAX_PIXELS = 64 * 64, 64 * 80  # 16 image tokens for a square picture, 10..20 for others
MEAN = (0.48145466, 0.4578275, 0.40821073)  # the constants of Qwen2-VL (from CLIP)
STD = (0.26862954, 0.26130258, 0.27577711)

Grid = tuple[int, int]


def smart_resize(height: int, width: int) -> Grid:
    """Qwen2-VL's rule: sides are multiples of 16 px, the area is within the pixel budget."""
    factor = PATCH * MERGE
    high, wide = round(height / factor) * factor, round(width / factor) * factor
    if high * wide > MAX_PIXELS:
        scale = math.sqrt(height * width / MAX_PIXELS)
        high = max(factor, math.floor(height / scale / factor) * factor)
        wide = max(factor, math.floor(width / scale / factor) * factor)
    elif high * wide < MIN_PIXELS:
        scale = math.sqrt(MIN_PIXELS / (height * width))
        high = math.ceil(height * scale / factor) * factor
        wide = math.ceil(width * scale / factor) * factor
    return high, wide


def patchify(image: Image.Image) -> tuple[np.ndarray, Grid]:
    """The patches [rows * columns, 3*2*8*8] in float32, and their (rows, columns)."""
    height, width = smart_resize(image.height, image.width)
    resized = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    x = np.asarray(resized, np.float32) / 255.0
    x = ((x - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)
    rows, columns = height // PATCH, width // PATCH
    x = x.reshape(3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
    x = x.transpose(1, 4, 2, 5, 0, 3, 6)  # merged row, merged column, row, column, channel, y, x
    x = np.repeat(x[:, :, :, :, :, None], TEMPORAL, axis=5)  # a still image is the same frame twice
    return np.ascontiguousarray(x.reshape(rows * columns, -1), np.float32), (rows, columns)
