"""What can be wrong with a model folder, told in seconds and before mlx is imported.

Covers what people really pick: no folder, a GGUF file, a Git LFS clone without its files, a
download cut short, a checkpoint larger than the machine. Does not judge whether mlx_vlm knows the
model type: only mlx_vlm can.
"""

import json
import os
import re
import struct
from pathlib import Path

from lines import FatalError

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer*", "vocab.*", "*.tiktoken", "*.model")
LFS_POINTER = b"version https://git-lfs"
CHOOSE = "Choose the folder of an MLX vision model, with its config.json and .safetensors files."
CONVERT = "Choose an MLX version of the model, or convert it with `python -m mlx_vlm.convert`."
DOWNLOAD_AGAIN = "Download the model again, completely."

DAMAGED = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""What reading a file raises that is not what it should be."""


def is_hub_name(model: str) -> bool:
    """True for `org/name` that is no folder here."""
    return HUB_NAME.fullmatch(model) is not None and not Path(model).exists()


def check_model_folder(folder: Path) -> None:
    """Raises FatalError when the folder cannot be loaded."""
    if folder.suffix == ".gguf":
        raise FatalError("unsupported_model", f"{folder.name} is a GGUF file.", CONVERT)
    try:
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise FatalError("model_not_found", f"The model folder {folder} {what}.", CHOOSE)
        _check_pointers(folder)
        config = _check_config(folder)
        _check_weights(folder)
        _check_processor(folder, config)
    except FileNotFoundError as error:
        message = f"{Path(error.filename).name} is missing: a link leads nowhere."
        raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN) from error
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> FatalError:
    message = f"Cannot read {error.filename}: {error.strerror}."
    return FatalError("model_incomplete", message, "Check who may read the folder.")


def _check_pointers(folder: Path) -> None:
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.stat().st_size < 1024 and _head(file).startswith(LFS_POINTER):
            message = f"{file.name} is a Git LFS pointer, not the file itself."
            raise FatalError("model_incomplete", message, f"Run `git lfs pull` in {folder}.")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(len(LFS_POINTER))


def _check_config(folder: Path) -> dict:
    path = folder / "config.json"
    if not path.is_file():
        if any(folder.glob("*.gguf")):
            raise FatalError("unsupported_model", "The folder holds a GGUF model.", CONVERT)
        inner = sorted(file.parent for file in folder.glob("**/config.json"))
        hint = f" Perhaps {inner[0]}." if inner else ""
        raise FatalError("model_incomplete", "The folder has no config.json.", CHOOSE + hint)
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FatalError(
            "model_incomplete", f"{path.name} is no JSON: {error}.", DOWNLOAD_AGAIN
        ) from error
    if not isinstance(config, dict) or not config.get("model_type"):
        raise FatalError("unsupported_model", f"{path.name} names no model_type.", CHOOSE)
    if config.get("model_file"):
        raise FatalError(
            "unsupported_model",
            f"The model brings Python code of its own ({config['model_file']}), which mlx_vlm "
            "would run unasked.",
            "Choose a model of a type that mlx_vlm knows.",
        )
    return config


def _check_weights(folder: Path) -> None:
    shards = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            wanted = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
            missing = sorted(wanted - {shard.name for shard in shards})
            if not all(isinstance(name, str) for name in wanted):
                raise TypeError("A file has no name.")
        except DAMAGED as error:
            raise damaged(index) from error
        if missing:
            message = f"{len(missing)} of {len(wanted)} weight files are missing: {missing[0]} ..."
            raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN)
    if not shards:
        if any(folder.glob("*.bin")) or any(folder.glob("*.pth")):
            message = "The folder holds PyTorch weights, no .safetensors files."
            raise FatalError("unsupported_model", message, CONVERT)
        raise FatalError(
            "model_incomplete", "The folder has no .safetensors files.", DOWNLOAD_AGAIN
        )
    for shard in shards:
        _check_shard(shard)


def _check_processor(folder: Path, config: dict) -> None:
    """Without these mlx_vlm makes do with defaults, and the model answers nonsense."""
    if not any(file for pattern in TOKENIZERS for file in folder.glob(pattern)):
        raise FatalError("model_incomplete", "The folder has no tokenizer.", DOWNLOAD_AGAIN)
    if "vision_config" in config and not any((folder / name).exists() for name in PROCESSORS):
        message = f"The folder has no image processor: {' or '.join(PROCESSORS)} is missing."
        raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN)


def _check_shard(shard: Path) -> None:
    """Compares the file's size with what its header (8 bytes of length, then JSON) promises."""
    size = shard.stat().st_size
    if not shard.is_file():
        raise damaged(shard)
    with shard.open("rb") as opened:
        prefix = opened.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
        header = opened.read(length) if 8 + length <= size else b""
    try:
        tensors = json.loads(header)
        ends = [value["data_offsets"][1] for key, value in tensors.items() if key[:2] != "__"]
        expected = 8 + length + max(ends, default=0)
        is_cut = size < expected
    except DAMAGED as error:
        raise damaged(shard) from error
    if is_cut:
        message = f"{shard.name} is cut short: {size} of {expected} bytes."
        raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN)


def damaged(file: Path) -> FatalError:
    return FatalError("model_incomplete", f"{file.name} is damaged.", DOWNLOAD_AGAIN)


def weights_bytes(folder: Path) -> int:
    """What the model's weights take, in files and in memory."""
    shards = folder.glob("*.safetensors")
    # Mistral's own copy of the same weights, which mlx_vlm leaves out as well.
    loaded = [file for file in shards if file.name != "consolidated.safetensors"]
    return sum(file.stat().st_size for file in loaded if file.is_file())


def check_memory(folder: Path) -> None:
    """Raises FatalError when the weights alone are larger than the machine's memory."""
    if (folder / "offload_index.json").exists():
        return
    weights = weights_bytes(folder)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if weights > memory:
        raise out_of_memory(f"The weights are {weights >> 20} MB, the machine has {memory >> 20}.")


def out_of_memory(message: str) -> FatalError:
    return FatalError(
        "out_of_memory",
        message,
        "Choose a smaller model or one with fewer bits (4bit), or close other apps.",
    )
