"""Model folders with the text conventions of other families: the demo model's weights with the
special tokens and a chat template of the family.

`python scripted_models.py KIND FOLDER [CONTEXT_LENGTH]` writes one. What such a model says is
decided by a script, see `scripted_launcher.py`.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

DEMO = Path(__file__).parents[2] / "resources/models/demo"
FIRST_TOKEN = 1024
"""The size of the demo model's vocabulary: the first id of an added token."""
ADDED_ROWS = 64

THINK = ["<think>", "</think>"]
CALL = ["<tool_call>", "</tool_call>"]
ARGUMENTS = ["<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"]
GEMMA = ["<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>', "<|think|>"]
COHERE = ["<|START_THINKING|>", "<|END_THINKING|>", "<|START_ACTION|>", "<|END_ACTION|>"]
COHERE += ["<|START_TEXT|>", "<|END_TEXT|>"]
MISTRAL = ["[TOOL_CALLS]", "[ARGS]"]
PYTHONIC = ["<|tool_call_start|>", "<|tool_call_end|>"]
KIMI = ["<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"]
KIMI += ["<|tool_call_begin|>", "<|tool_call_end|>", "<|tool_call_argument_begin|>"]
HARMONY = ["<|channel|>", "<|message|>", "<|constrain|>", "<|call|>"]


def printed(text: str) -> str:
    """A Jinja expression that prints the text."""
    return "{{- " + json.dumps(text, ensure_ascii=False) + " }}"


TOOLS = (
    "{%- if tools %}{{- '<|im_start|>system\\n' }}{%- for tool in tools %}"
    "{{- tool.function.name + '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}"
)
CONTENT = (
    "{%- if m.content is string %}{{- m.content }}{%- else %}{%- for part in m.content or [] %}"
    "{%- if part.type == 'image' or 'image_url' in part %}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif 'text' in part %}{{- part.text }}{%- endif %}{%- endfor %}{%- endif %}"
)
MESSAGES = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}"
    + CONTENT
    + "{{- '<|im_end|>\\n' }}{%- endfor %}"
)
ASSISTANT = printed("<|im_start|>assistant\n")
OPEN_THOUGHT = ASSISTANT + printed("<think>\n")
THOUGHT_IF_ASKED = (
    ASSISTANT
    + "{%- if enable_thinking %}"
    + printed("<think>\n")
    + "{%- else %}"
    + printed("<think>\n\n</think>\n\n")
    + "{%- endif %}"
)
GEMMA_SYSTEM = "{%- if enable_thinking %}" + printed("<|think|>\n") + "{%- endif %}"
# The text between `[[opens ` and `]]` in the conversation is appended to the prompt.
OPENED = (
    "{%- for m in messages %}{%- if m.role == 'user' %}{%- set text %}"
    + CONTENT
    + "{%- endset %}{%- if '[[opens ' in text %}"
    "{{- text.split('[[opens ')[1].split(']]')[0] }}{%- endif %}{%- endif %}{%- endfor %}"
)


def noted(text: str) -> str:
    """A comment by which mlx_vlm recognizes the format of a template's tool calls."""
    return "{#- " + text + " -#}"


def template(note: str, prompt: str, before: str = "") -> str:
    generation = "{%- if add_generation_prompt %}" + prompt + "{%- endif %}"
    return noted(note) + before + TOOLS + MESSAGES + generation


def refused(words: str) -> str:
    return "{{- raise_exception(" + json.dumps(words) + ") }}"


ALTERNATING = (
    "{%- for m in messages %}{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    + refused("Conversation roles must alternate user/assistant/user/assistant/...")
    + "{%- endif %}{%- endfor %}"
)

HERMES = "<tool_call> tool_call.name"
XML = "<tool_call>\\n<function="
KINDS: dict[str, tuple[list[str], str]] = {
    "qwen3-vl": (CALL, template(HERMES, ASSISTANT)),
    "qwen3-vl-thinking": (THINK + CALL, template(HERMES, OPEN_THOUGHT)),
    "qwen3.5": (THINK + CALL, template(XML, THOUGHT_IF_ASKED)),
    "gemma-4": (GEMMA, template("<|tool_call>", ASSISTANT, GEMMA_SYSTEM)),
    "glm-4.7": (THINK + CALL + ARGUMENTS, template("<arg_key>", THOUGHT_IF_ASKED)),
    "command-a": (COHERE, template("<|START_ACTION|>", ASSISTANT)),
    "mistral": (MISTRAL, template("[TOOL_CALLS]", ASSISTANT)),
    "lfm2-vl": (PYTHONIC, template("<|tool_call_start|> <|tool_call_end|>", ASSISTANT)),
    # Its template requires alternating roles, like those of Gemma 3 and Mistral.
    "strict": (CALL, template(HERMES, ASSISTANT, ALTERNATING)),
    # Its template refuses every conversation.
    "refusing": (CALL, template(HERMES, ASSISTANT, refused("Only haiku are accepted"))),
    # The tokens of all families. The script selects the format, and the prompt its own end.
    "any": (
        [
            *dict.fromkeys(
                THINK + CALL + ARGUMENTS + GEMMA + COHERE + MISTRAL + PYTHONIC + KIMI + HARMONY
            )
        ],
        template(HERMES, ASSISTANT + OPENED, GEMMA_SYSTEM),
    ),
}
"""By family: the tokens it adds, and its chat template."""


def make_model(kind: str, folder: Path, context_length: int | None = None) -> Path:
    """Writes a model folder and returns it. Its context is the demo model's unless one is given."""
    added, chat_template = KINDS[kind]
    shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    (folder / "chat_template.jinja").write_text(chat_template)
    names = ("tokenizer.json", "config.json", "tokenizer_config.json")
    tokenizer, config, settings = (json.loads((folder / name).read_text()) for name in names)
    for number, text in enumerate(added, FIRST_TOKEN):
        token = {"content": text, "special": text not in THINK + CALL + ARGUMENTS}
        token |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        tokenizer["added_tokens"].append({"id": number, **token})
        settings["added_tokens_decoder"][str(number)] = token
    config["vocab_size"] = FIRST_TOKEN + ADDED_ROWS
    if context_length is not None:
        config["max_position_embeddings"] = settings["model_max_length"] = context_length
    for name, value in zip(names, (tokenizer, config, settings), strict=True):
        (folder / name).write_text(json.dumps(value))
    weights = load_file(folder / "model.safetensors")
    for name, value in weights.items():
        if value.ndim and value.shape[0] == FIRST_TOKEN:
            rows = np.zeros((ADDED_ROWS, *value.shape[1:]), value.dtype)
            weights[name] = np.concatenate([value, rows])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


if __name__ == "__main__":
    make_model(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
