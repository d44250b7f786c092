"""Inspects a model in its folder, without loading it: what it is, and whether it can be served.

mlx_vlm decides whether it supports the type, and interprets the configuration.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_vlm.prompt_utils import MODEL_CONFIG
from mlx_vlm.utils import get_model_and_args, load_config, update_module_configs

from hub.request_memory import TOKENS_PER_REQUEST, request_bytes
from shared.description import VISION, has_template, quantization_of, short
from shared.hub_cache import cached_folder
from shared.lines import EventWriter, FatalError
from shared.model_folder import (
    CHOOSE,
    NO_TEMPLATE,
    check_model_folder,
    is_hub_name,
    missing_package,
    unreadable,
    weights_bytes,
)

OWN_TEMPLATE = re.compile(r"default_chat_template|_CHAT_TEMPLATE")
"""In a processor's source: it does not need the folder's template."""


@dataclass
class Inspected:
    """One model. Sizes are in bytes; unknown values are None."""

    model: str
    path: str
    bytes: int = 0
    weights_bytes: int = 0
    request_bytes: int | None = None
    model_type: str | None = None
    quantization: str | None = None
    sees_pictures: bool | None = None
    problem: dict | None = None
    note: str | None = None
    """What limits a model that can be served."""


def inspect_all(models: list[str], events: EventWriter) -> None:
    """Writes an event for the machine, then one for each model, in order."""
    events.write("machine", memory_bytes=memory_bytes(), tokens_per_request=TOKENS_PER_REQUEST)
    for model in models:
        events.write("model", **asdict(inspect(model)))


def memory_bytes() -> int:
    """Memory available to models: on Apple silicon, the GPU's recommended working set."""
    if mx.default_device() == mx.Device(mx.gpu):
        return int(mx.device_info()["max_recommended_working_set_size"])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def inspect(model: str) -> Inspected:
    found = Inspected(model=model, path=model)
    try:
        folder = cached_folder(model) if is_hub_name(model) else Path(model).expanduser()
        found.path = str(folder)
        describe(folder, found)
        check_model_folder(folder)
        ask_mlx_vlm(folder, found)
    except FatalError as fatal:
        found.problem = asdict(fatal)
    except PermissionError as error:
        found.problem = asdict(unreadable(error))
    except Exception as error:
        found.problem = asdict(
            FatalError(
                "load_failed",
                f"mlx_vlm {version('mlx-vlm')} cannot read its configuration: {error}"[:300],
                "The model may be damaged, or made for another version of mlx_vlm.",
            )
        )
    return found


def describe(folder: Path, found: Inspected) -> None:
    """Reads what it can from the files, even if they are incomplete."""
    if not folder.is_dir():
        return
    found.bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    found.weights_bytes = weights_bytes(folder)
    if not (path := folder / "config.json").is_file():
        return
    try:
        config = json.loads(path.read_text("utf-8"))
        found.model_type = short(config.get("model_type"))
        found.quantization = quantization_of(config)
    except (OSError, ValueError, AttributeError, RecursionError):
        return  # check_model_folder reports it


def ask_mlx_vlm(folder: Path, found: Inspected) -> None:
    """Raises FatalError for a type that mlx_vlm does not support."""
    config = load_config(folder)
    architecture = known_architecture(config)
    found.sees_pictures = hasattr(architecture, "VisionModel") and any(map(VISION.search, config))
    if not has_template(folder) and not brings_template(architecture, config):
        found.note = NO_TEMPLATE
    found.request_bytes = request_bytes(to_mlx_vlm_config(architecture, config))


def brings_template(architecture: Any, config: dict) -> bool:
    """Whether mlx_vlm's processor may have a template of its own, or the model is made for a bare
    prompt."""
    form = MODEL_CONFIG.get(str(config.get("model_type")).lower())
    if form is not None and form.name.startswith("PROMPT"):
        return True
    sources = Path(architecture.__file__).parent.glob("processing*.py")
    return any(OWN_TEMPLATE.search(source.read_text("utf-8")) for source in sources)


def known_architecture(config: dict) -> Any:
    """mlx_vlm's module for the model. Raises FatalError if there is none."""
    try:
        # Without a folder, so that no code in it is run.
        return get_model_and_args(config)[0]
    except (ImportError, ValueError, KeyError) as error:
        kind = str(config.get("model_type"))[:100]
        missing = missing_package(f"The model type {kind}", error)
        message = f"mlx_vlm {version('mlx-vlm')} does not know the model type {kind}."
        raise missing or FatalError("unsupported_model", message, CHOOSE) from error


def to_mlx_vlm_config(architecture: Any, config: dict) -> Any:
    """Reads a configuration as mlx_vlm's load_model does, with its defaults."""
    whole = dict(config)
    whole.setdefault("text_config", whole.pop("llm_config", {}))
    whole.setdefault("vision_config", {})
    whole.setdefault("audio_config", {})
    parts = ["text", "vision", "perceiver", "projector", "audio"]
    read = architecture.ModelConfig.from_dict(whole)
    return update_module_configs(read, architecture, whole, parts)
