import functools
import json
import os
import shutil
import struct

import pytest

from runtime_process import DEMO
from shared.lines import FatalError

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.fixture
def model(tmp_path):
    """A copy of the demo model, to be damaged."""
    return shutil.copytree(DEMO, tmp_path / "model")


def no_config(model):
    (model / "config.json").unlink()


def damaged_config(model):
    (model / "config.json").write_text("{")


def no_model_type(model):
    (model / "config.json").write_text("{}")


def own_code(model):
    config = {"model_type": "qwen2_vl", "model_file": "evil.py"}
    (model / "config.json").write_text(json.dumps(config))
    (model / "evil.py").write_text("raise SystemExit('code of the model was run')")


def no_weights(model):
    (model / "model.safetensors").unlink()


def pytorch_weights(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def gguf_instead(model):
    for file in model.iterdir():
        file.unlink()
    (model / "model.gguf").write_text("GGUF")


def missing_shard(model):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def cut_short(model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def lfs_pointer(model):
    (model / "model.safetensors").write_text(LFS)


def lfs_tokenizer(model):
    (model / "tokenizer.json").write_text(LFS)


def no_processor(model):
    for name in ("preprocessor_config.json", "processor_config.json"):
        (model / name).unlink()


def no_tokenizer(model):
    for file in model.glob("tokenizer*"):
        file.unlink()


def larger_than_memory(model):
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    with (model / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(memory + (1 << 20))  # sparse: it uses no disk space


@pytest.mark.parametrize(
    ("damage", "reason", "words"),
    [
        (no_config, "model_incomplete", "no config.json"),
        (damaged_config, "model_incomplete", "not valid JSON"),
        (no_model_type, "unsupported_model", "no model_type"),
        (own_code, "unsupported_model", "evil.py"),
        (no_weights, "model_incomplete", "no .safetensors"),
        (pytorch_weights, "unsupported_model", "PyTorch"),
        (gguf_instead, "unsupported_model", "GGUF"),
        (missing_shard, "model_incomplete", "model-2.safetensors"),
        (cut_short, "model_incomplete", "cut short"),
        (lfs_pointer, "model_incomplete", "Git LFS pointer"),
        (lfs_tokenizer, "model_incomplete", "tokenizer.json"),
        (no_processor, "model_incomplete", "no image processor"),
        (no_tokenizer, "model_incomplete", "no tokenizer"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_damaged_model_folder_is_refused_with_the_reason(model, damage, reason, words):
    from shared.lines import FatalError
    from shared.model_folder import check_model_folder

    damage(model)
    with pytest.raises(FatalError) as caught:
        check_model_folder(model)
    assert (caught.value.reason, words in caught.value.message) == (reason, True)
    assert caught.value.remedy


QUANTIZED_ELSEWHERE = [
    {"quantization_config": {"quant_method": "awq", "bits": 4}},
    {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    {"quantization_config": {"quant_method": "bitsandbytes"}},
    {"quantization_config": {"load_in_4bit": True}},
    {"quantization_config": {"quant_method": "fp8"}},
    {"quantization_config": {"quant_method": "torchao"}},
    {"text_config": {"quantization_config": {"quant_method": "AWQ"}}},
]
LOADABLE = [
    {},
    {"quantization": {"bits": 4, "group_size": 64}, "quantization_config": {"bits": 4}},
    {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
    {"quantization_config": {"quant_method": "compressed-tensors"}},
    {"quantization_config": {"quant_method": "mxfp4"}},
]


@pytest.mark.parametrize("config", QUANTIZED_ELSEWHERE)
def test_weights_quantized_for_pytorch_are_refused_by_name(config):
    from shared.lines import FatalError
    from shared.model_folder import check_quantization

    with pytest.raises(FatalError, match="quantized with") as caught:
        check_quantization(config)
    assert caught.value.reason == "unsupported_model"


@pytest.mark.parametrize("config", LOADABLE)
def test_weights_that_mlx_vlm_converts_are_accepted(config):
    from shared.model_folder import check_quantization

    check_quantization(config)


def stale_index(model):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def apple_double(model):
    for file in list(model.iterdir()):
        (model / f"._{file.name}").write_bytes(b"\0\5\x16\7")
    (model / "._gone.gguf").write_bytes(b"")
    (model / ".DS_Store").write_bytes(b"Bud1")


@pytest.mark.parametrize("change", [stale_index, apple_double])
def test_a_folder_that_mlx_vlm_loads_is_accepted(model, change):
    from shared.model_folder import check_model_folder, weights_bytes

    before = weights_bytes(model)
    change(model)
    check_model_folder(model)
    assert weights_bytes(model) == before


@pytest.mark.parametrize("index", [None, "model-00001-of-00009.safetensors"])
def test_a_missing_shard_is_found_by_name_if_the_index_is_stale(model, index):
    from shared.lines import FatalError
    from shared.model_folder import check_model_folder

    (model / "model.safetensors").rename(model / "model-00001-of-00003.safetensors")
    if index is not None:
        weight_map = {"weight_map": {"a": index}}
        (model / "model.safetensors.index.json").write_text(json.dumps(weight_map))
    with pytest.raises(FatalError, match="2 of 3 weight files are missing: model-00002-of-00003"):
        check_model_folder(model)


def test_a_model_larger_than_the_memory_is_refused(start, model):
    larger_than_memory(model)
    fatal = start(model=model).wait_fatal()
    assert (fatal["reason"], "MB" in fatal["message"]) == ("out_of_memory", True)


def test_a_model_that_is_not_downloaded_is_reported_with_the_command(start):
    fatal = start(model="nobody/nothing").wait_fatal()
    assert fatal["reason"] == "model_not_found"
    assert "nobody/nothing is neither a folder nor" in fatal["message"]
    assert "sightglass models fetch nobody/nothing" in fatal["remedy"]


@pytest.mark.parametrize("ref", ["main", "v1.0", "refs/pr/1", None])
def test_a_model_downloaded_from_a_tag_a_branch_or_a_commit_is_found(monkeypatch, tmp_path, ref):
    from shared import hub_cache

    commit = "0123456789" * 4
    repository = tmp_path / "models--acme--demo"
    shutil.copytree(DEMO, repository / "snapshots" / commit)
    if ref is not None:
        (repository / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / ref).write_text(commit)
    monkeypatch.setattr(hub_cache.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(
        hub_cache,
        "snapshot_download",
        functools.partial(hub_cache.snapshot_download, cache_dir=tmp_path),
    )
    assert hub_cache.cached_folder("acme/demo") == repository / "snapshots" / commit
    if ref is None:
        (repository / hub_cache.UNFINISHED).mkdir()
        with pytest.raises(FatalError, match="neither a folder nor a downloaded model"):
            hub_cache.cached_folder("acme/demo")


def test_a_missing_folder_is_reported_before_mlx_is_imported(start, tmp_path):
    fatal = start(model=tmp_path / "nowhere").wait_fatal()
    assert fatal["reason"] == "model_not_found"
    assert str(tmp_path / "nowhere") in fatal["message"]
    assert fatal["remedy"]


def test_a_single_gguf_file_is_refused(start, tmp_path):
    (tmp_path / "model.gguf").write_text("GGUF")
    assert start(model=tmp_path / "model.gguf").wait_fatal()["reason"] == "unsupported_model"


def test_an_unknown_model_type_is_reported_by_name(start, model):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "banana_vl"}))
    fatal = start(model=model).wait_fatal()
    assert fatal["reason"] == "unsupported_model"
    assert "banana_vl" in fatal["message"]


def test_a_socket_path_too_long_for_macos_is_refused(start, tmp_path):
    fatal = start(socket_path=tmp_path / ("x" * 104)).wait_fatal()
    assert fatal["reason"] == "socket"
    assert "at most 103" in fatal["message"]


def test_a_socket_folder_that_others_can_access_is_refused(start, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    fatal = start(socket_path=tmp_path / "open" / "s").wait_fatal()
    assert fatal["reason"] == "socket"
    assert "0755" in fatal["message"]
