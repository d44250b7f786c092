"""The model folder: weights, tokenizer and configuration for mlx_vlm and transformers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import model as language
import vision
from model import Qwen2VL
from pixels import MAX_PIXELS, MEAN, MERGE, MIN_PIXELS, PATCH, STD, TEMPORAL
from tokenizer import SPECIALS, VOCABULARY

CONTEXT = 4096  # tokens
END_OF_TURN, END_OF_TEXT = "<|im_end|>", "<|endoftext|>"
CHAT_TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def load_folder(folder: Path) -> tuple[Qwen2VL, Tokenizer]:
    """Loads the model, in float32, and the tokenizer from a folder of `save_folder`."""
    model = Qwen2VL()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model, Tokenizer.from_file(str(folder / "tokenizer.json"))


def save_folder(folder: Path, model: Qwen2VL, tokenizer: Tokenizer) -> None:
    """Writes the folder. The weights are float16."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().to(torch.float16).contiguous() for k, v in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # save_file only lets the owner read it
    tokenizer.save(str(folder / "tokenizer.json"))
    template = CHAT_TEMPLATE.read_text()
    (folder / "chat_template.jinja").write_text(template)
    ids = {special: tokenizer.token_to_id(special) for special in SPECIALS}
    image = _image_settings()
    files = {
        "config.json": _model_settings(ids),
        "generation_config.json": {
            "bos_token_id": ids[END_OF_TEXT],
            "pad_token_id": ids[END_OF_TEXT],
            "eos_token_id": [ids[END_OF_TURN], ids[END_OF_TEXT]],
            "do_sample": False,
            "temperature": 0.0,
        },
        "tokenizer_config.json": _tokenizer_settings(ids, template),
        "preprocessor_config.json": {**image, "image_processor_type": "Qwen2VLImageProcessor"},
        "video_preprocessor_config.json": {
            **image,
            "video_processor_type": "Qwen2VLVideoProcessor",
        },
        "processor_config.json": {"processor_class": "Qwen2VLProcessor"},
    }
    for name, settings in files.items():
        text = json.dumps(settings, indent=2, ensure_ascii=False)
        (folder / name).write_text(text + "\n")


def _model_settings(ids: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "hidden_size": language.WIDTH,
        "initializer_range": 0.02,
        "intermediate_size": language.MLP_WIDTH,
        "max_position_embeddings": CONTEXT,
        "max_window_layers": language.LAYERS,
        "num_attention_heads": language.HEADS,
        "num_hidden_layers": language.LAYERS,
        "num_key_value_heads": language.KV_HEADS,
        "rms_norm_eps": 1e-6,
        "rope_theta": language.THETA,
        "rope_scaling": {"type": "mrope", "mrope_section": language.SECTIONS},
        "sliding_window": CONTEXT,
        "use_sliding_window": False,
        "use_cache": True,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "vocab_size": VOCABULARY,
        "bos_token_id": ids[END_OF_TEXT],
        "eos_token_id": ids[END_OF_TURN],
        "pad_token_id": ids[END_OF_TEXT],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_config": {
            "model_type": "qwen2_vl",
            "depth": vision.DEPTH,
            "embed_dim": vision.WIDTH,
            "hidden_size": language.WIDTH,
            "num_heads": vision.HEADS,
            "mlp_ratio": vision.RATIO,
            "hidden_act": "quick_gelu",
            "in_channels": 3,
            "in_chans": 3,
            "patch_size": PATCH,
            "spatial_patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": TEMPORAL,
        },
    }


def _tokenizer_settings(ids: dict[str, int], template: str) -> dict[str, Any]:
    plain = ("lstrip", "rstrip", "normalized", "single_word")
    return {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_prefix_space": False,
        "add_bos_token": False,
        "bos_token": None,
        "unk_token": None,
        "eos_token": END_OF_TURN,
        "pad_token": END_OF_TEXT,
        "additional_special_tokens": SPECIALS[1:],
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": CONTEXT,
        "padding_side": "left",
        "split_special_tokens": False,
        "added_tokens_decoder": {
            str(ids[special]): {"content": special, **dict.fromkeys(plain, False), "special": True}
            for special in SPECIALS
        },
        "chat_template": template,
    }


def _image_settings() -> dict[str, Any]:
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "rescale_factor": 1 / 255,
        "resample": 3,
        "min_pixels": MIN_PIXELS,
        "max_pixels": MAX_PIXELS,
        "size": {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS},
        "patch_size": PATCH,
        "temporal_patch_size": TEMPORAL,
        "merge_size": MERGE,
        "processor_class": "Qwen2VLProcessor",
    }
