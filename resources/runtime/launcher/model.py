"""Loads the model with mlx_vlm, explains errors, and describes the loaded model."""

import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import mlx.core as mx
from mlx_vlm.server.app import get_cached_model
from mlx_vlm.server.runtime import runtime

from launcher.chat_template import facts_of
from launcher.template_kwargs import template_names
from launcher.template_warnings import warn_about_template
from shared.description import Description
from shared.lines import FatalError, RefusedError
from shared.model_folder import missing_package, out_of_memory

MEDIA = re.compile(r"image|img|vision|video|audio|media", re.IGNORECASE)
MEDIA_IDS = re.compile(r"(image|video|audio|vision|boi|eoi|boa|eoa)\w*_(id|index)$")
OUT_OF_MEMORY = re.compile(
    r"out of memory|insufficient memory|unable to allocate|attempting to allocate|\bmalloc",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LoadedModel:
    """What is reported to the supervisor about a model."""

    model_type: str
    context_length: int | None
    quantization: str | None
    sees_images: bool
    vocab_size: int | None
    media_tokens: list[str]
    template_names: list[str]
    template: dict[str, object]
    memory_bytes: int
    device: str
    versions: dict[str, str]


def load_model(folder: str, name: str, description: Description) -> LoadedModel:
    """Loads a model into the cache of mlx_vlm's server. Raises FatalError with its `name`."""
    try:
        _, processor, config = get_cached_model(folder, None, model_kind="text_generation")
    except Exception as error:
        raise to_fatal(name, error) from error
    warn_about_template(processor, config, sees_images=description.sees_images)
    text = getattr(config, "text_config", None) or config
    return LoadedModel(
        model_type=str(config.model_type),
        context_length=context_length_of(config),
        quantization=description.quantization,
        sees_images=description.sees_images,
        vocab_size=_positive(getattr(text, "vocab_size", getattr(config, "vocab_size", None))),
        media_tokens=find_media_tokens(processor, config),
        template_names=template_names(processor),
        template=facts_of(processor).to_line(),
        memory_bytes=memory_bytes(),
        device="gpu" if mx.default_device() == mx.Device(mx.gpu) else "cpu",
        versions={
            "python": platform.python_version(),
            "mlx": version("mlx"),
            "mlx_vlm": version("mlx-vlm"),
        },
    )


def memory_bytes() -> int:
    """The memory that MLX holds: arrays in use, and buffers that it caches."""
    return mx.get_active_memory() + mx.get_cache_memory()


def context_length_of(config: Any) -> int | None:
    """Maximum number of tokens of prompt and answer together, from the model's configuration."""
    text = getattr(config, "text_config", None) or config
    return _positive(getattr(text, "max_position_embeddings", None))


def refuse_beyond_context(prompt_tokens: int) -> None:
    """Raises RefusedError with OpenAI's wording; mlx_vlm would answer nonsense."""
    limit = context_length_of(runtime.model_cache.get("config"))
    if limit is not None and prompt_tokens >= limit:
        raise RefusedError(_beyond_context(limit, str(prompt_tokens)))


def _beyond_context(limit: int, tokens: str) -> str:
    return (
        f"This model's maximum context length is {limit} tokens, and the messages, images "
        f"included, come to {tokens}. Shorten the conversation or send fewer images."
    )


CHARS_PER_TOKEN = 8
"""A text with more characters than this per token of the context is checked before it is tokenized.
Languages have 1 to 5."""

SLACK_TOKENS = 64
"""Cutting a text inside a special token may add up to this many tokens."""


def refuse_long_text(tokenizer: Any, text: str, limit: int | None) -> None:
    """Refuses a text that cannot fit in the context, without tokenizing all of it: its start alone
    has too many tokens. Never refuses a text that fits."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if limit is None or fast is None or len(text) <= limit * CHARS_PER_TOKEN:
        return
    # Words are tokenized independently, so cutting the text changes only the last one.
    words = fast.encode(text[: limit * CHARS_PER_TOKEN], add_special_tokens=False).word_ids
    whole = sum(word != words[-1] for word in words) - SLACK_TOKENS
    least = max(whole, least_tokens(fast, text))
    if least >= limit:
        raise RefusedError(_beyond_context(limit, f"more than {least}"))


def least_tokens(fast: Any, text: str) -> int:
    """A lower bound, by the length of the longest token. 0 if the tokenizer may drop or merge text.
    Whitespace does not count: some special tokens absorb what surrounds them."""
    steps = repr(fast.pre_tokenizer) + repr(fast.normalizer)
    known = "ByteLevel" in steps and repr(fast.normalizer) in ("None", "NFC()")
    if not known:
        return 0
    longest = max(map(len, fast.get_vocab()))
    # NFC composes three Hangul letters (nine bytes) into one syllable (three bytes).
    return len("".join(text.split()).encode()) // (longest * 3)


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def to_fatal(name: str, error: BaseException) -> FatalError:
    """The reason behind mlx_vlm's `Failed to load model`, which hides it in `__context__`."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    text = " ".join(str(getattr(each, "detail", each)) for each in chain)
    if any(isinstance(each, MemoryError) for each in chain) or OUT_OF_MEMORY.search(text):
        return out_of_memory(f"There is not enough memory for {name}.")
    if unsupported := re.search(r"Model type (\S+) not supported", text):
        return FatalError(
            "unsupported_model",
            f"mlx_vlm {version('mlx-vlm')} does not know the model type {unsupported[1]}.",
            "Choose a vision model of a type it knows, such as qwen2_vl, gemma3 or llava.",
        )
    if missing := missing_package(name, chain[-1]):
        return missing
    if any(isinstance(each, FileNotFoundError) for each in chain):
        return FatalError(
            "model_incomplete", _reason(chain), "Download the model again, completely."
        )
    return FatalError(
        "load_failed",
        f"mlx_vlm {version('mlx-vlm')} could not load {name}: {_reason(chain)}",
        "Read the log. The model may be damaged, or made for another version of mlx_vlm.",
    )


def _reason(chain: list[BaseException]) -> str:
    lines = str(chain[-1]).strip().splitlines() or [type(chain[-1]).__name__]
    return lines[0][:300]


def find_media_tokens(processor: Any, config: Any) -> list[str]:
    """All markers of images, videos and audio, which the text of a prompt must not contain."""
    tokenizer = getattr(processor, "tokenizer", processor)
    texts: set[str] = set()
    for holder in (processor, tokenizer):
        for name in dir(holder):
            if name.endswith("_token") and MEDIA.search(name):
                value = getattr(holder, name, None)
                texts.add(value if isinstance(value, str) else getattr(value, "content", ""))
    for holder in (config, getattr(config, "text_config", None)):
        for name, value in vars(holder).items() if hasattr(holder, "__dict__") else ():
            if MEDIA_IDS.match(name) and isinstance(value, int) and 0 <= value < len(tokenizer):
                texts.add(tokenizer.decode([value]))
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    texts.update(str(token) for token in added if MEDIA.search(str(token)))
    # Markers have brackets; anything else is an ordinary word.
    return sorted(text.strip() for text in texts if re.search(r"[<\[({|]", text))
