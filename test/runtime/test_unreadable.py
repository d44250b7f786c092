"""Unreadable folders and files are reported as such. Also works if the tests run as root."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from hub.inspection import inspect
from runtime_process import DEMO
from shared.lines import FatalError
from shared.model_folder import check_model_folder

NOBODY = 65534


@pytest.fixture
def model():
    """A copy of the demo model, and a user without access to it."""
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        top.chmod(0o755)
        yield shutil.copytree(DEMO, top / "above" / "model")
        os.seteuid(os.getuid())


def keep_out(path: Path) -> None:
    path.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


KEPT_OUT = [".", "config.json", "model.safetensors", ".."]


@pytest.mark.parametrize("name", KEPT_OUT)
def test_an_unreadable_file_is_reported_by_name(model, name):
    keep_out(Path(os.path.normpath(model / name)))
    problem = inspect(str(model)).problem
    assert problem["reason"] == "model_incomplete"
    assert problem["message"].startswith(f"Cannot read {model}")
    assert problem["message"].endswith(": Permission denied.")
    assert problem["remedy"] == "Check the folder's permissions."
    with pytest.raises(FatalError, match="Permission denied"):
        check_model_folder(model)
