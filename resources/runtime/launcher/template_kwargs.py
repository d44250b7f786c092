"""Passes a request's `chat_template_kwargs` on to the model's chat template, and whether its last
message is to be continued.

mlx_vlm 0.7.10 drops both. Only names that the template uses are passed on, as mlx_vlm does with its
own (`_template_references_kw` in `prompt_utils.py`): anything else would be an option of
transformers' `apply_chat_template`, which clients may not set. The gateway blocks those by name.
"""

import re
from typing import Any

from mlx_vlm.server import generation, request_normalization
from mlx_vlm.server.runtime import runtime

from launcher.other_version import other_version

FIELD = "sightglass_template_kwargs"
CONTINUE_FIELD = "sightglass_continue_final_message"


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    arguments = generation.GenerationArguments
    if not hasattr(request_normalization, "_build_gen_args"):
        raise other_version("request_normalization._build_gen_args is missing")
    if not hasattr(arguments, "to_template_kwargs"):
        raise other_version("GenerationArguments.to_template_kwargs is missing")
    build, to_kwargs = request_normalization._build_gen_args, arguments.to_template_kwargs

    def build_with_kwargs(request: Any, *args: Any, **kwargs: Any) -> Any:
        built = build(request, *args, **kwargs)
        extra = getattr(request, "model_extra", None) or {}
        built.template_kwargs = extra.get(FIELD) or {}
        built.continues = bool(extra.get(CONTINUE_FIELD))
        return built

    def to_all_kwargs(self: Any) -> dict:
        own = to_kwargs(self)
        given = getattr(self, "template_kwargs", {})
        processor = runtime.model_cache.get("processor")
        used = {name: value for name, value in given.items() if is_used(processor, name)}
        continued = {"continue_final_message": True} if getattr(self, "continues", False) else {}
        return {**used, **own, **continued}

    request_normalization._build_gen_args = build_with_kwargs
    arguments.to_template_kwargs = to_all_kwargs


def is_used(processor: Any, name: str) -> bool:
    """Whether the chat template of a processor, or of its tokenizer, contains the name."""
    return any(name in template for template in templates_of(processor))


def templates_of(processor: Any) -> list[str]:
    found: list[str] = []
    for holder in (processor, getattr(processor, "tokenizer", None)):
        template = getattr(holder, "chat_template", None)
        for text in template.values() if isinstance(template, dict) else [template]:
            if isinstance(text, str):
                found.append(text)
    return found


def template_names(processor: Any) -> list[str]:
    """Every name in the templates: the gateway reports the rest of the keys as ignored."""
    names: set[str] = set()
    for text in templates_of(processor):
        names.update(re.findall(r"[A-Za-z_]\w{0,99}", text))
    return sorted(names)
