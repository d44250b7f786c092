"""What a Hub says becomes parts of paths here, so not everything is taken from it."""

import socket
from types import SimpleNamespace

import download
import hub_errors
import pytest
from hub_file import HubFile
from huggingface_hub import HfApi
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
    hub = SimpleNamespace(model_info=lambda name, timeout: SimpleNamespace(sha=sha))
    monkeypatch.setattr(download, "HfApi", lambda token: hub)
    monkeypatch.setattr(download.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FatalError) as caught:
        download.fetch("owner/name", None, lines=None)
    assert caught.value.reason == "network"
    assert "answers otherwise than a Hugging Face Hub" in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_hub_that_never_answers_is_not_waited_for(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setattr(download.constants, "ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", address)
        monkeypatch.setattr(download.constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(download, "ANSWER_SECONDS", 0.2)
        monkeypatch.setattr(
            download, "HfApi", lambda token: HfApi(endpoint=address, token=token or False)
        )
        with pytest.raises(FatalError, match="cannot be reached") as caught:
            download.fetch("owner/name", None, lines=None)
        assert caught.value.reason == "network"
        # What takes no timeout of its own, such as the list of files, has the client's.
        assert download.impatient_client().timeout.read == 0.2


@pytest.mark.parametrize(
    "endpoint", ["huggingface.co", "ftp://host", "http://host:99999", "http://", "http://h\n/x"]
)
def test_an_endpoint_that_is_no_address_is_refused_in_words(monkeypatch, endpoint):
    monkeypatch.setattr(hub_errors.constants, "ENDPOINT", endpoint)
    with pytest.raises(FatalError, match="HF_ENDPOINT is no address of a Hub"):
        hub_errors.check_endpoint()


def test_nobody_is_told_the_password_of_a_mirror(monkeypatch):
    monkeypatch.setattr(hub_errors.constants, "ENDPOINT", "https://me:secret@mirror.example/hub")
    hub_errors.check_endpoint()
    fatal = hub_errors.to_fatal(TimeoutError(), "owner/name", None)
    told = [fatal, hub_errors.refused(401, hub_errors.hub_address())]
    assert "secret" not in f"{told}"
    assert "https://mirror.example/hub/settings" in told[1].remedy


@pytest.mark.parametrize("token", ["hf_secr\u00e9t", "hf_a b", "hf_a\x07", "hf_\u200b"])
def test_a_token_that_cannot_be_one_is_refused_and_not_repeated(token):
    with pytest.raises(FatalError) as caught:
        hub_errors.check_token(token)
    assert caught.value.reason == "bad_token"
    assert token not in caught.value.message
