"""The runtime works without the packages that its locks exclude to keep the app small."""

import json
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions
from importlib.util import find_spec

import pytest
from packaging.requirements import Requirement

from runtime_process import DEMO, ENDLESS, PYTHON, ROOT
from shared.model_folder import NOT_INSTALLED
from tiny_models import FOLDERS, write_folder

RUNTIME = ROOT / "resources/runtime"
NEED_ONE = {"multi_modality": "cv2", "nemotron_voicechat": "scipy"}
"""Architectures that need an excluded package: Janus and a speech model."""
SUGGESTED = {
    r"/SmolVLM2-": "smolvlm",
    r"/Qwen3-VL-\d+B-Instruct": "qwen3_vl",
    r"/Qwen3-VL-\d+B-A\d+B-": "qwen3_vl_moe",
    r"/Qwen3\.5-\d+B-MLX": "qwen3_5",
    r"/gemma-4-(e\db|\d+b)-it": "gemma4",
    r"/gemma-4-\d+b-a\db-it": "gemma4 with experts",
}
"""The architecture of each model in suggested.json."""
TRIED_BY_NPM_TEST = ("qwen3_vl", "gemma4")
"""The others are tested by `npm run test:long`."""


def test_the_list_matches_pyproject():
    overrides = tomllib.loads((RUNTIME / "pyproject.toml").read_text())["tool"]["uv"]
    assert sorted(overrides["override-dependencies"]) == sorted(
        f"{package} ; sys_platform == 'never'" for package in NOT_INSTALLED.values()
    )


def test_none_of_the_packages_is_installed():
    """Otherwise the tests below prove nothing. Uninstall packages that were added by hand."""
    assert [module for module in NOT_INSTALLED if find_spec(module)] == []


def test_each_package_is_still_a_dependency():
    """If not, it can be removed from pyproject.toml and model_folder.py."""
    wanted = {
        requirement.name
        for distribution in distributions()
        for requirement in map(Requirement, distribution.requires or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert set(NOT_INSTALLED.values()) - wanted == set()


def test_no_lock_contains_the_packages():
    for lock in ("requirements.txt", "requirements-dev.txt"):
        locked = re.findall(r"^([\w.-]+)==", (RUNTIME / lock).read_text(), re.MULTILINE)
        assert set(locked) & set(NOT_INSTALLED.values()) == set()


@pytest.mark.long
def test_every_other_architecture_can_be_imported():
    program = """
import importlib, json, pkgutil
from mlx_vlm import models
missing = {}
for kind in pkgutil.iter_modules(models.__path__):
    try:
        importlib.import_module(f"mlx_vlm.models.{kind.name}")
    except ImportError as error:
        missing[kind.name] = error.name
print(json.dumps(missing))
"""
    stdout = subprocess.check_output([PYTHON, "-I", "-W", "ignore", "-c", program])
    assert json.loads(stdout.splitlines()[-1]) == NEED_ONE


def test_every_suggested_model_has_an_architecture_tested_here():
    suggested = json.loads((ROOT / "resources/models/suggested.json").read_text())["models"]
    kinds = {
        model["id"]: [
            kind for pattern, kind in SUGGESTED.items() if re.search(pattern, model["id"])
        ]
        for model in suggested
    }
    assert {name: found for name, found in kinds.items() if len(found) != 1} == {}
    assert {found[0] for found in kinds.values()} == set(FOLDERS)


@pytest.mark.parametrize(
    "name",
    [
        name if name in TRIED_BY_NPM_TEST else pytest.param(name, marks=pytest.mark.long)
        for name in FOLDERS
    ],
)
def test_a_suggested_architecture_describes_an_image(start, tmp_path, name):
    model = write_folder(name, tmp_path / "model")
    runtime = start(model=model)
    assert runtime.wait_ready()["model_type"] == name.split()[0]
    answer = runtime.chat(**{**ENDLESS, "max_tokens": 4})
    assert (answer.status, answer.error, answer.finish_reason) == (200, None, "length")


@pytest.fixture
def janus(tmp_path):
    """A folder that looks like Janus, whose architecture imports OpenCV."""
    model = shutil.copytree(DEMO, tmp_path / "janus")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "multi_modality"}))
    return model


def test_a_model_that_needs_one_is_refused_with_the_package_and_the_remedy(start, janus):
    fatal = start(model=janus).wait_fatal()
    assert fatal["reason"] == "unsupported_model"
    assert "needs the Python package opencv-python, which" in fatal["message"]
    assert "pip install opencv-python" in fatal["remedy"]


def test_inspecting_the_model_reports_it_too(janus):
    from hub.inspection import inspect

    problem = inspect(str(janus)).problem
    assert problem["message"] == (
        "The model type multi_modality needs the Python package opencv-python, which Sightglass "
        "does not include."
    )


def test_an_unlisted_missing_package_is_named_too():
    from launcher.model import to_fatal

    fatal = to_fatal("some/model", ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert fatal.message.startswith("some/model needs the Python package torch,")
