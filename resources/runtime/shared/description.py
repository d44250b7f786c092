"""Describes a model from its files, without loading it or importing mlx.

The gateway reports the model's capabilities from it, even while no model is loaded.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VISION = re.compile(r"vision|visual|img_processor|image_processor|image_token", re.IGNORECASE)

CODE = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
"""The statements and expressions of a Jinja template."""

THINKING = re.compile(
    r"\b(enable_thinking|thinking|thinking_mode|thinking_budget|reasoning_effort)\b"
)
"""Variables by which a template turns thinking on, off, up or down."""

THOUGHT = re.compile(
    r"<\|?(seed:)?think(ing)?\|?>|\[THINK\]|◁think▷|<\|channel\|?>\s*(thought|analysis)"
)
"""Where a thought starts in the prompts of models that always think, or drop thoughts."""


@dataclass(frozen=True)
class Description:
    """Values that the files do not contain are None."""

    model_type: str | None
    quantization: str | None
    context_length: int | None
    sees_images: bool
    calls_tools: bool
    thinks: bool


def describe(folder: Path) -> Description:
    """Missing and damaged files are ignored; their values are unknown."""
    config = _read_object(folder / "config.json")
    templates = list(_templates(folder))
    return Description(
        model_type=short(config.get("model_type")),
        quantization=quantization_of(config),
        context_length=_context_length(config),
        sees_images=any(map(VISION.search, config)),
        calls_tools=calls_tools(templates),
        thinks=thinks(templates),
    )


def calls_tools(templates: list[str]) -> bool:
    """Whether the templates show tools to the model, as far as their text tells. A loaded model's
    are rendered instead (`launcher/chat_template.py`)."""
    return any(re.search(r"\btools\b", code) for code in _code(templates))


def thinks(templates: list[str]) -> bool:
    """Whether the templates are those of a model that thinks before it answers, or can."""
    return any(map(THINKING.search, _code(templates))) or any(map(THOUGHT.search, templates))


def _code(templates: list[str]) -> list[str]:
    return [code for template in templates for code in CODE.findall(template)]


def quantization_of(config: dict) -> str | None:
    """`4-bit`, `mxfp4`, or the type of weights that are not quantized, such as `bfloat16`."""
    quantization = config.get("quantization") or config.get("quantization_config")
    if isinstance(quantization, dict):
        mode = quantization.get("mode") or quantization.get("quant_method")
        bits = quantization.get("bits")
        if mode not in (None, "affine"):
            return short(mode)
        return f"{bits}-bit" if isinstance(bits, int) else None
    text = _text_config(config)
    kind = config.get("dtype") or config.get("torch_dtype") or text.get("dtype")
    return short(kind or text.get("torch_dtype"))


def short(value: object) -> str | None:
    """The value if it is a plausible name, otherwise None."""
    return value if isinstance(value, str) and 0 < len(value) <= 100 else None


def _context_length(config: dict) -> int | None:
    for part in (_text_config(config), config):
        length = part.get("max_position_embeddings")
        if isinstance(length, int) and length > 0:
            return length
    return None


def _text_config(config: dict) -> dict:
    """The language model's part, under the names that mlx_vlm reads."""
    for name in ("text_config", "llm_config", "language_config"):
        if isinstance(part := config.get(name), dict):
            return part
    return {}


def has_template(folder: Path) -> bool:
    return any(True for _ in _templates(folder))


def _templates(folder: Path) -> Iterator[str]:
    """The chat templates, from all the files in which transformers looks for them."""
    for path in [folder / "chat_template.jinja", *folder.glob("additional_chat_templates/*.jinja")]:
        if (text := _read(path)) is not None:
            yield text
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        template = _read_object(folder / name).get("chat_template")
        if isinstance(template, dict):
            template = list(template.values())
        for each in template if isinstance(template, list) else [template]:
            text = each.get("template") if isinstance(each, dict) else each
            if isinstance(text, str):
                yield text


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read(path) or "null")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}
