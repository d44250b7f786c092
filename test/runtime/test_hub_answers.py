"""What a Hub says becomes parts of paths here, so not everything is taken from it."""

from types import SimpleNamespace

import download
import pytest
from hub_file import HubFile
from huggingface_hub.hf_api import RepoFile
from lines import FatalError

SHA = "a" * 40


@pytest.mark.parametrize(
    ("path", "oid"),
    [
        ("../config.json", SHA),
        ("a/../../config.json", SHA),
        ("/etc/config.json", SHA),
        ("config.json", "../../evil"),
        ("config.json", SHA.upper()),
        ("config.json", ""),
    ],
)
def test_a_file_that_would_lie_elsewhere_is_refused(path, oid):
    with pytest.raises(ValueError, match=r"outside of the repository|has no hash"):
        HubFile.of("owner/name", SHA, RepoFile(path=path, size=1, oid=oid))


@pytest.mark.parametrize("sha", ["../../evil", "main", None, 7])
def test_a_revision_that_is_no_commit_is_refused_in_words(monkeypatch, tmp_path, sha):
    hub = SimpleNamespace(model_info=lambda name: SimpleNamespace(sha=sha))
    monkeypatch.setattr(download, "HfApi", lambda token: hub)
    monkeypatch.setattr(download.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FatalError) as caught:
        download.fetch("owner/name", None, lines=None)
    assert caught.value.reason == "network"
    assert "answers otherwise than a Hugging Face Hub" in caught.value.message
    assert not list(tmp_path.iterdir())
