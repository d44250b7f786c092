"""Checks a model folder in seconds, before mlx is imported.

Detects common mistakes: a missing folder, a GGUF file, a Git LFS clone without its files, an
incomplete download, a model larger than the memory, a format of PyTorch. Whether mlx_vlm supports
the model type is left to mlx_vlm.
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
NO_TEMPLATE = (
    "This model's folder has no chat template, so mlx_vlm sends it the conversation as plain text: "
    "answers may ramble, and tools and thinking have no effect. Add the chat_template.jinja of the "
    "original model, or choose an instruct model."
)
DOWNLOAD_AGAIN = "Download the whole model again."

DAMAGED = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""Errors that reading a damaged file may raise."""


def is_hub_name(model: str) -> bool:
    """Whether this is `owner/name` and not a folder."""
    return HUB_NAME.fullmatch(model) is not None and not Path(model).exists()


def check_model_folder(folder: Path) -> None:
    """Raises FatalError if the folder cannot be loaded."""
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
            f"The model contains its own Python code ({config['model_file']}), which mlx_vlm "
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
"""Values of `quant_method` whose weights mlx_vlm does not convert."""


def check_quantization(config: dict) -> None:
    """Raises FatalError for quantization formats of PyTorch. mlx_vlm would read all the weights
    before it fails, with a list of parameters."""
    text = config.get("text_config")
    inner = text.get("quantization_config") if isinstance(text, dict) else None
    quantization = config.get("quantization_config") or inner
    if isinstance(config.get("quantization"), dict) or not isinstance(quantization, dict):
        return  # quantized by MLX, or not at all
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
    """Whether mlx_vlm converts it on load (its `fp8.py` and `quantization/checkpoint.py`)."""
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
    # Many repositories contain the index of the unquantized model, which lists none of their files.
    # mlx_vlm then loads the files that exist, so those must be complete.
    expected = indexed if indexed & present else _numbered_shards(present)
    if missing := sorted(expected - present):
        message = f"{len(missing)} of {len(expected)} weight files are missing: {missing[0]} ..."
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
    """The matching files, without dot files: macOS writes `._model.safetensors` next to each file
    on exFAT and SMB volumes. mlx_vlm ignores them too."""
    return sorted(file for file in folder.glob(pattern) if not file.name.startswith("."))


def _shards(folder: Path) -> list[Path]:
    # Mistral's original copy of the same weights, which mlx_vlm skips too.
    found = visible(folder, "*.safetensors")
    return [file for file in found if file.name != "consolidated.safetensors"]


def loaded_shards(folder: Path) -> list[Path]:
    """The weight files that mlx_vlm loads: those in the index that exist, or else all."""
    shards = _shards(folder)
    try:
        indexed = _indexed_shards(folder / "model.safetensors.index.json")
    except FatalError:
        indexed = set()
    return [shard for shard in shards if shard.name in indexed] or shards


def _indexed_shards(index: Path) -> set[str]:
    """The files listed in the index, if there is one."""
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
    """All files of the series that these belong to, from names like `model-00001-of-00003`."""
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
    """Without these files mlx_vlm uses defaults, and the model answers nonsense."""
    if not any(visible(folder, pattern) for pattern in TOKENIZERS):
        raise FatalError("model_incomplete", "The folder has no tokenizer.", DOWNLOAD_AGAIN)
    if "vision_config" in config and not any((folder / name).exists() for name in PROCESSORS):
        message = f"The folder has no image processor: {' or '.join(PROCESSORS)} is missing."
        raise FatalError("model_incomplete", message, DOWNLOAD_AGAIN)


def _check_shard(shard: Path) -> None:
    """Compares the file's size with its header: the header's length in 8 bytes, then JSON."""
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
    """The size of the weights, in files and in memory."""
    return sum(file.stat().st_size for file in loaded_shards(folder) if file.is_file())


def check_memory(folder: Path) -> None:
    """Raises FatalError if the weights alone are larger than the machine's memory."""
    if (folder / "offload_index.json").exists():
        return
    weights = weights_bytes(folder)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if weights > memory:
        raise out_of_memory(
            f"The weights take {weights >> 20} MB; this machine has {memory >> 20} MB."
        )


def out_of_memory(message: str) -> FatalError:
    return FatalError(
        "out_of_memory",
        message,
        "Choose a smaller model or one with fewer bits (4bit), or close other apps.",
    )


NOT_INSTALLED = {
    "cv2": "opencv-python",
    "datasets": "datasets",
    "hf_xet": "hf-xet",
    "miniaudio": "miniaudio",
    "scipy": "scipy",
    "sounddevice": "sounddevice",
    "typer": "typer",
}
"""Modules of mlx_vlm's dependencies that Sightglass does not install, with the package of each.

`override-dependencies` in pyproject.toml excludes them from the locks, because only a few models
import them.
"""


def missing_package(what: str, error: BaseException) -> FatalError | None:
    """Why `what` cannot be loaded, if `error` is the failed import of a package. None otherwise."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    module = error.name.split(".")[0]
    if module == "mlx_vlm":
        return None
    package = NOT_INSTALLED.get(module, module)
    return FatalError(
        "unsupported_model",
        f"{what} needs the Python package {package}, which Sightglass does not include.",
        "Choose another model. Running from a checkout, you can add the package: "
        f"`resources/runtime/.venv/bin/python -m pip install {package}`.",
    )
