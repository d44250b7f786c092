"""Compares images as the model sees them with the originals as a color-managed viewer shows them.

Reads lines of JSON with the `file` of the original, the `sent` image that the gateway converted it
to, and the `background` color behind transparent pixels. Writes a line for each, with the mean
`difference` of the channels (of 255) or Pillow's `error`. Only compares the first page or frame.
"""

import io
import json
import sys
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps

BACKGROUNDS = {"white": 255, "gray": 128, "black": 0}
SRGB = ImageCms.createProfile("sRGB")


def open_as_sent(path: str) -> Image.Image:
    """Opens an image the way mlx_vlm's `load_image` does."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def open_as_shown(path: str, background: str) -> Image.Image:
    """Opens an image the way a color-managed viewer does."""
    with Image.open(path) as image:
        image.load()
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
    eight_bit = to_eight_bit(upright)
    alpha = find_alpha(upright)
    colors = to_srgb(eight_bit, profile)
    if alpha is None:
        return colors
    behind = Image.new("RGB", colors.size, (BACKGROUNDS[background],) * 3)
    behind.paste(colors, mask=alpha)
    return behind


def to_eight_bit(image: Image.Image) -> Image.Image:
    """Scales samples of more than 8 bits; Pillow's own conversion clips them at 255."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        return Image.fromarray(np.clip(np.round(values / 257), 0, 255).astype(np.uint8))
    if image.mode == "F":
        values = np.asarray(image)
        span = max(float(values.max() - values.min()), 1e-9)
        return Image.fromarray(((values - values.min()) / span * 255).astype(np.uint8))
    return image


def find_alpha(image: Image.Image) -> Image.Image | None:
    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        if not isinstance(key, int):
            return None
        return Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or key is not None:
        return image.convert("RGBA").getchannel("A")
    return None


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    colors = image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")
    if profile is not None:
        space = profile[16:20]
        wanted = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}.get(space)
        if wanted is not None and (wanted == colors.mode or "CMYK" not in (wanted, colors.mode)):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                colors.convert(wanted), source, SRGB, outputMode="RGB"
            )
            if converted is not None:
                return converted
    return colors.convert("RGB")


def compare(file: str, sent: str | None, background: str) -> dict[str, object]:
    try:
        shown = open_as_shown(file, background)
    except Exception as error:  # Pillow may raise anything for a damaged file.
        return {"error": f"{type(error).__name__}: {error}"}
    if sent is None:
        return {}
    seen = open_as_sent(sent)
    if seen.size != shown.size:
        shown = shown.resize(seen.size, Image.Resampling.BICUBIC)
    one, other = np.asarray(seen, dtype=np.int16), np.asarray(shown, dtype=np.int16)
    return {"difference": float(np.abs(one - other).mean())}


def main() -> None:
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = 50_000_000  # Pillow rejects images with twice as many.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    for line in sys.stdin:
        request = json.loads(line)
        result = compare(request["file"], request.get("sent"), request.get("background", "white"))
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
