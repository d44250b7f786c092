"""Draws the pictures, and says what is in them.

Everything comes from the random generator that is passed in: the same seed, the same picture.
"""

import math
import os
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shapes import SHAPES, Point, draw_shape
from words import NUMBER_WORDS, article, capital, pick, plural

Color = tuple[int, int, int]

COLORS = {
    "red": [(255, 0, 0), (220, 20, 60), (200, 0, 0), (230, 40, 40)],
    "orange": [(255, 165, 0), (255, 140, 0), (250, 120, 10)],
    "yellow": [(255, 255, 0), (255, 225, 0), (240, 230, 50)],
    "green": [(0, 128, 0), (0, 255, 0), (34, 139, 34), (50, 205, 50), (40, 170, 70)],
    "blue": [(0, 0, 255), (30, 60, 220), (65, 105, 225), (0, 0, 170), (30, 120, 255)],
    "purple": [(128, 0, 128), (148, 0, 211), (138, 43, 226), (110, 40, 160)],
    "pink": [(255, 192, 203), (255, 105, 180), (255, 150, 190)],
    "black": [(0, 0, 0), (25, 25, 25)],
    "white": [(255, 255, 255), (238, 238, 238)],
}
GRAYS = [(128, 128, 128), (110, 110, 110), (160, 160, 160), (180, 180, 180)]
KINDS = ["shape"] * 7 + ["count"] * 6 + ["number"] * 6 + ["blank"]
DIGITS = (1, 2, 2, 2, 3, 3)  # how long a number is, weighted by repetition
FONT_FOLDER = os.environ.get("DEJAVU_FONTS", "/usr/share/fonts/truetype/dejavu")
FONTS = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"]


@dataclass
class Scene:
    """What is in a picture."""

    kind: str  # shape | count | number | blank
    bg: str
    color: str = ""
    shape: str = ""
    n: int = 0
    number: str = ""
    where: str = ""
    # (class, x, y): shapes are 0..5, digits 6..15; centres as fractions of width and height
    objects: list[tuple[int, float, float]] = field(default_factory=list)

    def caption(self) -> str:
        """The scene in one phrase, as an answer has it: "a red circle on a white background"."""
        on = f"on {'an' if self.bg == 'orange' else 'a'} {self.bg} background"
        if self.kind == "shape":
            return f"{article(self.color)} {self.color} {self.shape} {on}"
        if self.kind == "count":
            return f"{NUMBER_WORDS[self.n]} {self.color} {plural(self.shape)} {on}"
        if self.kind == "number":
            return f"the number {self.number} {on}"
        return f"a plain {self.bg} background"

    def sentence(self) -> str:
        """The caption as a sentence."""
        return capital(self.caption()) + "."


@dataclass
class Canvas:
    """A picture being drawn: its size, the colour to draw with, and the random generator."""

    rng: np.random.Generator
    image: Image.Image
    ink: Color

    def __post_init__(self) -> None:
        self.draw = ImageDraw.Draw(self.image)
        self.width, self.height = self.image.size
        self.side = min(self.image.size)


def make_scene(
    rng: np.random.Generator,
    kind: str | None = None,
    aspect: float | None = None,
    digits: tuple[int, ...] = DIGITS,
) -> tuple[Scene, Image.Image]:
    """Draws a picture. Its Scene is also in the picture's `info`; aspect is width / height."""
    kind = kind or pick(rng, KINDS)
    size = _picture_size(rng, aspect)
    common = rng.random() < 0.7
    bg = pick(rng, ["white", "white", "black", "gray"] if common else list(COLORS))
    color = pick(rng, [name for name in COLORS if name != bg])
    paper, ink = _shade(rng, bg), _shade(rng, color)
    while np.abs(paper - ink).sum() < 60:
        paper, ink = _shade(rng, bg), _shade(rng, color)
    scene = Scene(kind, bg) if kind == "blank" else Scene(kind, bg, color)
    canvas = Canvas(rng, Image.new("RGB", size, _rgb(paper)), _rgb(ink))
    if kind == "shape":
        _draw_one(canvas, scene)
    elif kind == "count":
        _draw_several(canvas, scene)
    elif kind == "number":
        _draw_number(canvas, scene, digits)
    image = _as_photographed(rng, canvas.image)
    image.info["scene"] = scene
    return scene, image


def _picture_size(rng: np.random.Generator, aspect: float | None) -> tuple[int, int]:
    if aspect is None:
        aspect = 1.0 if rng.random() < 0.78 else rng.uniform(1.1, 2.0)
        aspect = aspect if rng.random() < 0.75 else 1 / aspect
    side = rng.uniform(48, 90) if rng.random() < 0.4 else rng.uniform(90, 220)
    if aspect >= 1:
        return round(side * aspect), round(side)
    return round(side), round(side / aspect)


def _shade(rng: np.random.Generator, name: str) -> np.ndarray:
    base = np.array(pick(rng, GRAYS if name == "gray" else COLORS[name]), float)
    return np.clip(base + rng.uniform(-12, 12, 3), 0, 255)


def _rgb(shade: np.ndarray) -> Color:
    red, green, blue = (int(value) for value in shade)
    return red, green, blue


def _draw_one(canvas: Canvas, scene: Scene) -> None:
    rng, w, h = canvas.rng, canvas.width, canvas.height
    scene.shape, scene.n = pick(rng, SHAPES), 1
    radius = canvas.side * rng.uniform(0.15, 0.44)
    x, y = rng.uniform(radius, w - radius), rng.uniform(radius, h - radius)
    if rng.random() < 0.3:
        x, y = w / 2, h / 2
    draw_shape(canvas.draw, scene.shape, (x, y), radius, rng.uniform(-0.2, 0.2), canvas.ink)
    scene.objects = [(SHAPES.index(scene.shape), x / w, y / h)]
    side = "left" if x < w * 0.4 else "right" if x > w * 0.6 else ""
    level = "top" if y < h * 0.4 else "bottom" if y > h * 0.6 else ""
    scene.where = f"{level} {side}".strip() or "middle"


def _draw_several(canvas: Canvas, scene: Scene) -> None:
    rng = canvas.rng
    scene.shape, scene.n = pick(rng, SHAPES), int(rng.integers(2, 6))
    radius = canvas.side * rng.uniform(0.09, 0.15)
    spots: list[Point] = []
    while len(spots) < scene.n:  # with smaller shapes each time, until they all fit
        spots = _free_spots(canvas, scene.n, radius)
        radius *= 0.97
    for x, y in spots:
        draw_shape(canvas.draw, scene.shape, (x, y), radius, rng.uniform(-0.2, 0.2), canvas.ink)
        scene.objects.append((SHAPES.index(scene.shape), x / canvas.width, y / canvas.height))


def _free_spots(canvas: Canvas, n: int, radius: float) -> list[Point]:
    """Up to n centres of shapes that do not touch, in 60 tries."""
    rng, spots = canvas.rng, []
    for _ in range(60):
        x = rng.uniform(radius, canvas.width - radius)
        y = rng.uniform(radius, canvas.height - radius)
        if all(math.hypot(x - spot[0], y - spot[1]) > 2.35 * radius for spot in spots):
            spots.append((x, y))
        if len(spots) == n:
            break
    return spots


def _draw_number(canvas: Canvas, scene: Scene, digits: tuple[int, ...]) -> None:
    rng, w, h = canvas.rng, canvas.width, canvas.height
    length = int(rng.choice(digits))
    scene.number = str(rng.integers(10 ** (length - 1) if length > 1 else 0, 10**length))
    name, size = pick(rng, [*FONTS, None]), 0.30 + 0.45 * rng.random()
    font = _load_font(name, min(size * canvas.side, 0.92 * w / (0.66 * length)))
    left, top, right, bottom = canvas.draw.textbbox((0, 0), scene.number, font=font)
    wide, high = right - left, bottom - top
    x = rng.uniform(0.02 * w, max(0.03 * w, 0.98 * w - wide))
    y = rng.uniform(0.02 * h, max(0.03 * h, 0.98 * h - high))
    if rng.random() < 0.3:
        x, y = (w - wide) / 2, (h - high) / 2
    canvas.draw.text((x - left, y - top), scene.number, fill=canvas.ink, font=font)
    for i, digit in enumerate(scene.number):
        centre = x - left + font.getlength(scene.number[:i]) + font.getlength(digit) / 2
        scene.objects.append((len(SHAPES) + int(digit), centre / w, (y + high / 2) / h))


def _load_font(name: str | None, size: float) -> ImageFont.FreeTypeFont:
    """A DejaVu font, or Pillow's own for None."""
    if name is None:
        return ImageFont.load_default(size)
    path = os.path.join(FONT_FOLDER, name)
    try:
        return ImageFont.truetype(path, size)
    except OSError as error:
        raise FileNotFoundError(
            f"Expected the font {path}. Install the DejaVu fonts (Debian: fonts-dejavu-core) "
            "or name their folder in DEJAVU_FONTS."
        ) from error


def _as_photographed(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """A quarter gets a soft light and noise, half only noise, the last quarter stays clean."""
    u = rng.random()
    if u >= 0.75:
        return image
    pixels = np.asarray(image, np.int16)
    if u < 0.25:
        across = np.linspace(-1, 1, image.width)[None, :] * rng.uniform(-14, 14)
        light = across + np.linspace(-1, 1, image.height)[:, None] * rng.uniform(-14, 14)
        pixels = pixels + light[:, :, None].astype(np.int16)
    strength = int(rng.integers(2, 20))
    pixels = pixels + rng.integers(-strength, strength + 1, pixels.shape, np.int16)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
