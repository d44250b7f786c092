"""How mlx_vlm's server is set up. It reads its settings from the environment when it is imported
(`mlx_vlm/server/cli.py` does the same for its flags)."""

import os

ENVIRONMENT = {
    # The prefix cache, in memory only: prompts and pictures are not written to disk. SHA-256, so
    # that a hash collision never answers from somebody else's prompt.
    "APC_ENABLED": "1",
    "APC_DISK_ENABLED": "0",
    "APC_HASH": "sha256",
    # Conversations remembered at most; mlx_vlm bounds their bytes too (a tenth of the working set).
    "APC_CHECKPOINT_ENTRIES": "8",
    "MLX_VLM_VISION_CACHE_SIZE": "20",
    "TOP_LOGPROBS_K": "20",
    "MLX_VLM_LOG_PROGRESS_INTERVAL": "0",
    # The gateway has the deadlines, and a supervisor that tells a long prefill from a hang.
    "MLX_VLM_TOKEN_QUEUE_TIMEOUT": "0",
    # A model is downloaded before it is served: serving needs no network, so it gets none.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
    "TOKENIZERS_PARALLELISM": "false",
}

FOREIGN = ("MLX_VLM_PRELOAD_", "MLX_VLM_DRAFT_", "MLX_VLM_SERVER_API_KEY")
"""Would load a second model, decode in a way our sampling is not for, or shut the gateway out."""


def set_environment() -> None:
    """To be called before mlx_vlm or huggingface_hub is imported."""
    for name in list(os.environ):
        # A person's own mlx_vlm server may have left these.
        if name.startswith(FOREIGN):
            del os.environ[name]
    os.environ.update(ENVIRONMENT)
