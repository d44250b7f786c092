"""The prefix cache distinguishes prompts by the pixels of their images."""

import mlx.core as mx
import numpy as np
import pytest
from mlx_vlm import apc, apc_adapters
from mlx_vlm.server import generation

from launcher import prefill


@pytest.fixture(autouse=True)
def as_launched(monkeypatch):
    """Patches mlx_vlm as the launcher does, for one test."""
    for holder, name in (
        (apc, "hash_image_payload"),
        (apc, "self_check_model_apc"),
        (apc_adapters.PrefixCachePlan, "strategy"),
    ):
        monkeypatch.setattr(holder, name, getattr(holder, name))
    prefill.patch_prefix_cache()


def hash_of(pixels: object) -> int:
    """Hashes as mlx_vlm's server does."""
    return generation._apc.hash_image_payload(pixel_values=pixels)


def picture(value: float, size: int, kind=mx) -> mx.array | np.ndarray:
    return kind.full((3, size, size), value)


FORMS = {
    "one": lambda value: picture(value, 4),
    "one in bfloat16": lambda value: picture(value, 4).astype(mx.bfloat16),
    "a list of one": lambda value: [picture(value, 4)],
    "a list of one size": lambda value: [picture(0, 4), picture(value, 4)],
    "a list of different sizes": lambda value: [picture(0, 4), picture(value, 8)],
    "a list of different sizes in numpy": lambda value: [
        picture(0, 4, np),
        picture(value, 8, np),
    ],
    "a list of lists": lambda value: [[picture(0, 4)], [picture(value, 8), picture(1, 4)]],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_different_pixels_have_different_hashes_and_equal_pixels_equal_ones(form):
    assert hash_of(form(1)) == hash_of(form(1))
    assert hash_of(form(1)) != hash_of(form(2))


@pytest.mark.parametrize(
    "pixels",
    [object(), np.array([None, None]), [picture(1, 4), None]],
    ids=["no array", "an array of objects", "a list with none"],
)
def test_unreadable_pixels_match_nothing(pixels):
    assert hash_of(pixels) != hash_of(pixels)


def test_the_order_of_images_matters():
    first, second = picture(1, 4), picture(2, 8)
    assert hash_of([first, second]) != hash_of([second, first])
