"""The six shapes: their outlines and how they are drawn."""

import math

from PIL import ImageDraw

SHAPES = ["circle", "square", "triangle", "star", "cross", "heart"]

Point = tuple[float, float]


def outline(shape: str, turn: float) -> list[Point]:
    """The polygon of a shape with radius 1, rotated by an angle in radians. None for a circle."""
    cos, sin = math.cos(turn), math.sin(turn)
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in _upright(shape)]


def draw_shape(
    draw: ImageDraw.ImageDraw, shape: str, centre: Point, radius: float, turn: float, color
) -> None:
    """Draws a filled shape. `color` is any color that Pillow accepts."""
    x, y = centre
    if shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    else:
        points = [(x + dx * radius, y + dy * radius) for dx, dy in outline(shape, turn)]
        draw.polygon(points, fill=color)


def _upright(shape: str) -> list[Point]:
    if shape == "square":
        return [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]
    if shape == "triangle":
        return [(math.sin(a), -math.cos(a)) for a in (0, 2 * math.pi / 3, 4 * math.pi / 3)]
    if shape == "star":
        tips = [((1, 0.42)[i % 2], i * math.pi / 5) for i in range(10)]
        return [(r * math.sin(a), -r * math.cos(a)) for r, a in tips]
    if shape == "cross":
        quarter = [(-0.3, -1), (0.3, -1), (0.3, -0.3)]
        points = []
        for _ in range(4):
            points += quarter
            quarter = [(-y, x) for x, y in quarter]
        return points
    return [_heart(i * math.pi / 20) for i in range(40)]


def _heart(t: float) -> Point:
    y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
    return 16 * math.sin(t) ** 3 / 17, -y / 17
