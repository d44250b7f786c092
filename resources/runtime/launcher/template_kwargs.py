"""Passes a request's `chat_template_kwargs` and `continue_final_message` to the chat template.

mlx_vlm 0.7.10 drops both. Only names that the template uses are passed, as mlx_vlm does with its
own (`_template_references_kw` in `prompt_utils.py`): others would be options of transformers'
`apply_chat_template`, which clients must not set. The gateway also blocks those by name.
"""

import re
from typing import Any

from mlx_vlm.server import generation, request_normalization
from mlx_vlm.server.runtime import runtime

from launcher.patching import require_names

FIELD = "sightglass_template_kwargs"
CONTINUE_FIELD = "sightglass_continue_final_message"


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    arguments = generation.GenerationArguments
    require_names({request_normalization: ("_build_gen_args",), arguments: ("to_template_kwargs",)})
    build, to_kwargs = request_normalization._build_gen_args, arguments.to_template_kwargs

    def build_with_kwargs(request: Any, *args: Any, **kwargs: Any) -> Any:
        built = build(request, *args, **kwargs)
        extra = getattr(request, "model_extra", None) or {}
        built.template_kwargs = extra.get(FIELD) or {}
        built.continues = bool(extra.get(CONTINUE_FIELD))
        return built

    def to_all_kwargs(self: Any) -> dict:
        standard = to_kwargs(self)
        given = getattr(self, "template_kwargs", {})
        processor = runtime.model_cache.get("processor")
        used = {name: value for name, value in given.items() if is_used(processor, name)}
        continued = {"continue_final_message": True} if getattr(self, "continues", False) else {}
        return {**used, **standard, **continued}

    request_normalization._build_gen_args = build_with_kwargs
    arguments.to_template_kwargs = to_all_kwargs


def is_used(processor: Any, name: str) -> bool:
    """Whether the chat template of the processor or its tokenizer contains the name."""
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
    """All names in the templates. The gateway reports other `chat_template_kwargs` as ignored."""
    names: set[str] = set()
    for text in templates_of(processor):
        names.update(re.findall(r"[A-Za-z_]\w{0,99}", text))
    return sorted(names)
