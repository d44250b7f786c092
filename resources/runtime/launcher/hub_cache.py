"""Where huggingface_hub keeps the models that were downloaded. Never asks the network."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError
from lines import FatalError
from model_folder import unreadable

MODEL_FILES = [
    "*.json",
    "*.jsonl",
    "*.safetensors",
    "*.py",
    "*.model",
    "*.tiktoken",
    "*.txt",
    "*.jinja",
]
"""What mlx_vlm takes of a repository (`get_model_path` in mlx_vlm/utils.py)."""


DOT_FILES = [".*", "*/.*"]
"""What macOS leaves beside files, and somebody has uploaded with them."""


def cached_folder(name: str) -> Path:
    """The folder of the newest complete download. Raises FatalError if there is none."""
    remedy = f"Download it in the app, or with `sightglass models fetch {name}`."
    try:
        folder = snapshot_download(
            name, local_files_only=True, allow_patterns=MODEL_FILES, ignore_patterns=DOT_FILES
        )
    except IncompleteSnapshotError as error:
        message = f"The download of {name} is not complete."
        raise FatalError("model_incomplete", message, remedy) from error
    except PermissionError as error:
        raise unreadable(error) from error
    except (LocalEntryNotFoundError, OSError) as error:
        message = f"{name} is neither a folder here nor a model that was downloaded."
        raise FatalError("model_not_found", message, remedy) from error
    return Path(folder)
