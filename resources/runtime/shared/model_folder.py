"""Checks a model folder in seconds, before mlx is imported.

Covers what people really pick: no folder, a GGUF file, a Git LFS clone without its files, a
download cut short, a checkpoint larger than the machine. Does not judge whether mlx_vlm knows the
model type: only mlx_vlm can.
"""

import json
import os
import re
import struct
from pathlib import Path

from shared.lines import FatalError

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer*", "vocab.*", "*.tiktoken", "*.model")
LFS_POINTER = b"version https://git-lfs"
CHOOSE = "Choose the folder of an MLX vision model, with its config.json and .safetensors files."
CONVERT = "Choose an MLX version of the model, or convert it with `python -m mlx_vlm.convert`."
DOWNLOAD_AGAIN = "Download the whole model again."

DAMAGED = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""What reading a damaged file raises."""


def is_hub_name(model: str) -> bool:
    """True for `org/name` unless it is a folder."""
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
        message = f"{Path(error.filename).name} is missing: its link is broken."
        raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN) from error
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> FatalError:
    message = f"Cannot read {error.filename}: {error.strerror}."
    return FatalError("model_incomplete", message, "Check the folder's permissions.")


def _check_pointers(folder: Path) -> None:
    for file in visible(folder, "*"):
        if file.is_file() and file.stat().st_size < 1024 and _head(file).startswith(LFS_POINTER):
            message = f"{file.name} is a Git LFS pointer, not the file itself."
            raise FatalError("model_incomplete", message, f"Run `git lfs pull` in {folder}.")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(len(LFS_POINTER))


def _check_config(folder: Path) -> dict:
    path = folder / "config.json"
    if not path.is_file():
        if visible(folder, "*.gguf"):
            raise FatalError("unsupported_model", "The folder contains a GGUF model.", CONVERT)
        inner = sorted(file.parent for file in folder.glob("**/config.json"))
        hint = f" Perhaps {inner[0]}." if inner else ""
        raise FatalError("model_incomplete", "The folder has no config.json.", CHOOSE + hint)
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FatalError(
            "model_incomplete", f"{path.name} is not valid JSON: {error}.", DOWNLOAD_AGAIN
        ) from error
    if not isinstance(config, dict) or not config.get("model_type"):
        raise FatalError("unsupported_model", f"{path.name} has no model_type.", CHOOSE)
    if config.get("model_file"):
        raise FatalError(
            "unsupported_model",
            f"The model comes with its own Python code ({config['model_file']}), which mlx_vlm "
            "would run without asking.",
            "Choose a model whose type mlx_vlm supports.",
        )
    check_quantization(config)
    return config


FOREIGN_QUANTIZATION = {
    "awq": "AWQ",
    "gptq": "GPTQ",
    "bitsandbytes": "bitsandbytes",
    "aqlm": "AQLM",
    "auto-round": "AutoRound",
    "autoround": "AutoRound",
    "eetq": "EETQ",
    "exl2": "EXL2",
    "exl3": "EXL3",
    "fbgemm_fp8": "FBGEMM FP8",
    "fp_quant": "FP-Quant",
    "higgs": "HIGGS",
    "hqq": "HQQ",
    "quanto": "Quanto",
    "quark": "Quark",
    "spqr": "SpQR",
    "torchao": "torchao",
    "vptq": "VPTQ",
    "bitnet": "BitNet",
}
"""The names in `quant_method` of formats whose weights mlx_vlm does not convert."""


def check_quantization(config: dict) -> None:
    """Raises FatalError for weights in a format of PyTorch that mlx_vlm would fail on, after it has
    read all of them, with names of parameters."""
    text = config.get("text_config")
    inner = text.get("quantization_config") if isinstance(text, dict) else None
    quantization = config.get("quantization_config") or inner
    if isinstance(config.get("quantization"), dict) or not isinstance(quantization, dict):
        return  # MLX's own, or none
    method = str(quantization.get("quant_method") or "").lower()
    if not method and any(quantization.get(f"load_in_{bits}bit") for bits in (4, 8)):
        method = "bitsandbytes"
    name = FOREIGN_QUANTIZATION.get(method)
    if method == "fp8" and not _converts_fp8(quantization):
        name = "PyTorch's FP8"
    if name is None:
        return
    raise FatalError(
        "unsupported_model",
        f"The weights are quantized with {name}, which mlx_vlm cannot load.",
        "Choose an MLX version of the model (mlx-community has many), or convert the unquantized "
        "original with `python -m mlx_vlm.convert`.",
    )


def _converts_fp8(quantization: dict) -> bool:
    """What `mlx_vlm/fp8.py` and `mlx_vlm/quantization/checkpoint.py` convert while loading."""
    if quantization.get("moe_quant_algo") == "NVFP4":
        return True
    return (
        quantization.get("fmt", "e4m3") == "e4m3"
        and quantization.get("weight_block_size") == [128, 128]
        and quantization.get("store_dtype", "fp8") == "fp8"
    )


def _check_weights(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    present = {shard.name for shard in _shards(folder)}
    indexed = _indexed_shards(index)
    # Many repositories have the index of the unquantized model, which names none of their files.
    # mlx_vlm then loads the files that are there, so these are what counts.
    announced = indexed if indexed & present else _numbered_shards(present)
    if missing := sorted(announced - present):
        message = f"{len(missing)} of {len(announced)} weight files are missing: {missing[0]} ..."
        raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN)
    if not present:
        if indexed:
            message = f"All {len(indexed)} weight files are missing: {min(indexed)} ..."
            raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN)
        if visible(folder, "*.bin") or visible(folder, "*.pth"):
            message = "The folder contains PyTorch weights but no .safetensors files."
            raise FatalError("unsupported_model", message, CONVERT)
        raise FatalError(
            "model_incomplete", "The folder has no .safetensors files.", DOWNLOAD_AGAIN
        )
    for shard in loaded_shards(folder):
        _check_shard(shard)


def visible(folder: Path, pattern: str) -> list[Path]:
    """The files that match, without dot files: macOS writes `._model.safetensors` beside each file
    on exFAT and SMB disks. mlx_vlm ignores them too."""
    return sorted(file for file in folder.glob(pattern) if not file.name.startswith("."))


def _shards(folder: Path) -> list[Path]:
    # Mistral's own copy of the same weights, which mlx_vlm leaves out as well.
    found = visible(folder, "*.safetensors")
    return [file for file in found if file.name != "consolidated.safetensors"]


def loaded_shards(folder: Path) -> list[Path]:
    """The weight files that mlx_vlm loads: those of the index that are there, or else all."""
    shards = _shards(folder)
    try:
        indexed = _indexed_shards(folder / "model.safetensors.index.json")
    except FatalError:
        indexed = set()
    return [shard for shard in shards if shard.name in indexed] or shards


def _indexed_shards(index: Path) -> set[str]:
    """The files that the index names; none if there is no index."""
    try:
        names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        if not all(isinstance(name, str) for name in names):
            raise TypeError("A file has no name.")
    except FileNotFoundError:
        return set()
    except DAMAGED as error:
        raise damaged(index) from error
    return names


NUMBERED = re.compile(r"(.*)-(\d+)-of-(\d+)\.safetensors")


def _numbered_shards(names: set[str]) -> set[str]:
    """All files of the series that these belong to, by names such as `model-00001-of-00003`."""
    series = set(names)
    for name in names:
        if (match := NUMBERED.fullmatch(name)) and 0 < int(match[3]) <= 10_000:
            stem, width = match[1], len(match[2])
            series |= {
                f"{stem}-{number:0{width}}-of-{match[3]}.safetensors"
                for number in range(1, int(match[3]) + 1)
            }
    return series


def _check_processor(folder: Path, config: dict) -> None:
    """Without these mlx_vlm makes do with defaults, and the model answers nonsense."""
    if not any(visible(folder, pattern) for pattern in TOKENIZERS):
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
    return sum(file.stat().st_size for file in loaded_shards(folder) if file.is_file())


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
