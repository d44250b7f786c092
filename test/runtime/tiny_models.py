"""Models with random weights, one for each architecture that Sightglass suggests, and prompts."""

import copy
import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_vlm.utils import update_module_configs

from runtime_process import DEMO

PICTURE = 5
"""The token for a part of an image."""
BEGIN_OF_PICTURE = 7
TOKENS_OF_PICTURE = 16
SIZE = {"hidden_size": 32, "intermediate_size": 64}
TEXT = {
    **SIZE,
    "vocab_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
ROPE = {"mrope_section": [2, 3, 3]}
QWEN_TOKENS = {
    "image_token_id": PICTURE,
    "video_token_id": 6,
    "vision_start_token_id": BEGIN_OF_PICTURE,
}
QWEN_VISION = {
    **SIZE,
    "depth": 3,
    "num_heads": 2,
    "patch_size": 4,
    "out_hidden_size": 32,
    "num_position_embeddings": 64,
}
QWEN3_VL_TEXT = {
    **TEXT,
    "num_hidden_layers": 3,
    "rope_theta": 1e4,
    "rope_scaling": {"type": "mrope", **ROPE},
}
DEEPSTACK = {**QWEN_VISION, "deepstack_visual_indexes": [0, 1]}

CONFIGS: dict[str, dict[str, Any]] = {
    "qwen3_vl": {
        **QWEN_TOKENS,
        "text_config": {**QWEN3_VL_TEXT, "model_type": "qwen3_vl_text"},
        "vision_config": {**DEEPSTACK, "model_type": "qwen3_vl"},
    },
    "qwen3_vl_moe": {
        **QWEN_TOKENS,
        "text_config": {
            **QWEN3_VL_TEXT,
            "model_type": "qwen3_vl_moe_text",
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "moe_intermediate_size": 32,
        },
        "vision_config": {**DEEPSTACK, "model_type": "qwen3_vl_moe"},
    },
    "qwen3_5": {
        **QWEN_TOKENS,
        "text_config": {
            **TEXT,
            "model_type": "qwen3_5_text",
            "num_hidden_layers": 4,
            "full_attention_interval": 2,
            "linear_num_value_heads": 2,
            "linear_num_key_heads": 1,
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_conv_kernel_dim": 4,
            "rope_parameters": {
                "type": "default",
                "rope_theta": 1e4,
                "partial_rotary_factor": 1.0,
                **ROPE,
            },
        },
        "vision_config": {**QWEN_VISION, "model_type": "qwen3_5"},
    },
    "gemma4": {
        "image_token_id": PICTURE,
        "audio_token_id": 8,
        "boi_token_id": BEGIN_OF_PICTURE,
        "vocab_size": 64,
        "text_config": {
            **TEXT,
            "model_type": "gemma4_text",
            "num_hidden_layers": 6,
            "global_head_dim": 32,
            "vocab_size_per_layer_input": 64,
            "hidden_size_per_layer_input": 8,
            "num_kv_shared_layers": 2,
            "sliding_window": 8,
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
            "use_double_wide_mlp": False,
        },
        "vision_config": {
            **SIZE,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "global_head_dim": 16,
            "patch_size": 4,
            "default_output_length": TOKENS_OF_PICTURE,
            "pooling_kernel_size": 2,
            "position_embedding_size": 64,
        },
    },
}

ALL_CONFIGS = {
    **CONFIGS,
    # That of the demo model, which has its own weights.
    "qwen2_vl": {
        **QWEN_TOKENS,
        "text_config": {**QWEN3_VL_TEXT, "model_type": "qwen2_vl"},
        "vision_config": {
            "model_type": "qwen2_vl",
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    },
}


def make_model(kind: str) -> Any:
    """An mlx_vlm model, created like load_model does, but with random weights."""
    model = build(kind, {"model_type": kind, **copy.deepcopy(ALL_CONFIGS[kind])})
    # Larger than the initial values, so that a wrong feature changes the answer.
    parameters = tree_flatten(model.parameters())
    model.load_weights([(name, 3 * weights) for name, weights in parameters], strict=False)
    return model


def build(kind: str, config: dict[str, Any]) -> Any:
    """The model of mlx_vlm for a configuration, with random weights."""
    architecture = importlib.import_module(f"mlx_vlm.models.{kind}")
    parts = ["text", "vision", "perceiver", "projector", "audio"]
    read = architecture.ModelConfig.from_dict(copy.deepcopy(config))
    mx.random.seed(1)
    return architecture.Model(update_module_configs(read, architecture, config, parts))


def make_prompt(model: Any, seed: int) -> tuple[list[int], dict]:
    """Text, a random image, and text: the tokens, and the prompt arguments of the server."""
    ids = [*[10 + seed] * (2 + seed), BEGIN_OF_PICTURE, *[PICTURE] * TOKENS_OF_PICTURE, *[20] * 4]
    key = mx.random.key(seed)
    if model.config.model_type == "gemma4":
        pixels = mx.random.uniform(shape=(1, 3, 32, 32), key=key)
        features = model.get_input_embeddings(mx.array([ids]), pixels)
    else:
        pixels = mx.random.normal((4 * TOKENS_OF_PICTURE, 3 * 2 * 4 * 4), key=key)
        grid = mx.array([[1, 8, 8]])
        features = model.get_input_embeddings(mx.array([ids]), pixels, image_grid_thw=grid)
    return ids, features.to_dict()


# -- model folders for the launcher: these models with the demo model's tokenizer

SMOLVLM = {
    "text_config": {**TEXT, "model_type": "llama", "num_hidden_layers": 2},
    "vision_config": {
        **SIZE,
        "model_type": "smolvlm_vision",
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "patch_size": 8,
        "image_size": 64,
    },
    "scale_factor": 2,
}
GEMMA4_EXPERTS = {
    "enable_moe_block": True,
    "num_experts": 4,
    "top_k_experts": 2,
    "moe_intermediate_size": 32,
}
FOLDERS: dict[str, dict[str, Any]] = {
    **CONFIGS,
    "smolvlm": SMOLVLM,
    "gemma4 with experts": {
        **CONFIGS["gemma4"],
        "text_config": {**CONFIGS["gemma4"]["text_config"], **GEMMA4_EXPERTS},
    },
}
TOKENIZER = {
    "vocab_size": 1024,
    "eos_token_id": 1018,
    "vision_start_token_id": 1019,
    "image_token_id": 1022,
    "video_token_id": 1023,
}
"""The configuration of the demo model."""
MARKERS = {
    "image_token": "<|image_pad|>",
    "boi_token": "<|vision_start|>",
    "eoi_token": "<|vision_end|>",
    "fake_image_token": "<|vision_pad|>",
    "global_image_token": "<|vision_pad|>",
    "end_of_utterance_token": "<|im_end|>",
}
PROCESSORS = {
    "gemma4": {
        "image_processor_type": "Gemma4ImageProcessor",
        "patch_size": 4,
        "max_soft_tokens": TOKENS_OF_PICTURE,
        "pooling_kernel_size": 2,
    },
    "smolvlm": {
        "image_processor_type": "SmolVLMImageProcessor",
        "do_image_splitting": False,
        "size": {"longest_edge": 64},
        "max_image_size": {"longest_edge": 64},
    },
}
QWEN_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "patch_size": 4,
    "min_pixels": 1024,
    "max_pixels": 1024,
}


def write_folder(name: str, folder: Path) -> Path:
    """Writes a model folder as on the Hub, with random weights."""
    kind = name.split()[0]
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("*.safetensors", "README.md"))
    config = {"model_type": kind, **copy.deepcopy(FOLDERS[name]), **TOKENIZER}
    config["text_config"]["vocab_size"] = TOKENIZER["vocab_size"]
    config["boi_token_id"] = TOKENIZER["vision_start_token_id"]
    if "vocab_size_per_layer_input" in config["text_config"]:
        config["text_config"]["vocab_size_per_layer_input"] = TOKENIZER["vocab_size"]
    _write(folder / "config.json", config)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    _write(folder / "tokenizer_config.json", {**tokenizer, "extra_special_tokens": MARKERS})
    processor = PROCESSORS.get(kind, QWEN_PROCESSOR)
    _write(folder / "preprocessor_config.json", processor)
    _write(
        folder / "processor_config.json",
        {"image_processor": processor, "image_seq_len": TOKENS_OF_PICTURE},
    )
    weights = dict(tree_flatten(build(kind, config).parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    return folder


def _write(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content))
