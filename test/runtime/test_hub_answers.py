"""Responses of the Hub are validated, because parts of them become paths."""

import socket
from types import SimpleNamespace

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile

from hub import download, hub_errors
from hub.hub_file import HubFile
from shared.lines import FatalError

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
def test_a_file_outside_of_the_repository_is_refused(path, oid):
    with pytest.raises(ValueError, match=r"outside of the repository|has no hash"):
        HubFile.of("owner/name", SHA, RepoFile(path=path, size=1, oid=oid))


@pytest.mark.parametrize("sha", ["../../evil", "main", None, 7])
def test_a_revision_that_is_not_a_commit_is_refused_with_a_message(monkeypatch, tmp_path, sha):
    hub = SimpleNamespace(model_info=lambda name, timeout: SimpleNamespace(sha=sha))
    monkeypatch.setattr(download, "HfApi", lambda token: hub)
    monkeypatch.setattr(download.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FatalError) as caught:
        download.fetch("owner/name", None, events=None)
    assert caught.value.reason == "network"
    assert "did not answer like a Hugging Face Hub" in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_hub_that_does_not_respond_times_out(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(download.constants, "ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", address)
        monkeypatch.setattr(download.constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
        monkeypatch.setattr(
            download, "HfApi", lambda token: HfApi(endpoint=address, token=token or False)
        )
        with pytest.raises(FatalError, match="cannot be reached") as caught:
            download.fetch("owner/name", None, events=None)
        assert caught.value.reason == "network"
        # Calls without a timeout parameter, such as the list of files, use the client's.
        assert download.client_with_timeout().timeout.read == 0.2


@pytest.mark.parametrize(
    "endpoint", ["huggingface.co", "ftp://host", "http://host:99999", "http://", "http://h\n/x"]
)
def test_an_invalid_endpoint_is_refused_with_a_message(monkeypatch, endpoint):
    monkeypatch.setattr(hub_errors.constants, "ENDPOINT", endpoint)
    with pytest.raises(FatalError, match="HF_ENDPOINT is not the address of a Hub"):
        hub_errors.check_endpoint()


def test_the_password_of_a_mirror_is_never_shown(monkeypatch):
    monkeypatch.setattr(hub_errors.constants, "ENDPOINT", "https://me:secret@mirror.example/hub")
    hub_errors.check_endpoint()
    fatal = hub_errors.to_fatal(TimeoutError(), "owner/name", None)
    errors = [fatal, hub_errors.refused(401, hub_errors.hub_address())]
    assert "secret" not in f"{errors}"
    assert "https://mirror.example/hub/settings" in errors[1].remedy


@pytest.mark.parametrize("token", ["hf_secr\u00e9t", "hf_a b", "hf_a\x07", "hf_\u200b"])
def test_an_invalid_token_is_refused_and_not_repeated(token):
    with pytest.raises(FatalError) as caught:
        hub_errors.check_token(token)
    assert caught.value.reason == "bad_token"
    assert token not in caught.value.message


@pytest.mark.parametrize(
    ("status", "is_transient"),
    [(502, True), (503, True), (504, True), (429, True), (403, False), (407, False)],
)
def test_a_proxy_that_is_briefly_unavailable_is_asked_again(status, is_transient):
    error = httpx2.ProxyError(f"{status} Reason")
    assert hub_errors.is_transient(error) == is_transient
    fatal = hub_errors.to_fatal(error, "owner/name", None)
    assert fatal.message.startswith("The proxy re")
    assert str(status) in fatal.message
    assert "HTTPS_PROXY" in fatal.remedy


def test_a_question_is_repeated_while_the_proxy_is_unavailable(monkeypatch):
    monkeypatch.setattr(download, "RETRY_SECONDS", (0, 0))
    answers = [httpx2.ProxyError("503 Busy"), httpx2.ProxyError("502 Busy"), "answer"]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert download.answer_of(ask) == "answer"
    answers[:] = [httpx2.ProxyError("403 Forbidden"), "answer"]
    with pytest.raises(httpx2.ProxyError):
        download.answer_of(ask)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_comes_from_the_headers_of_a_429(headers, seconds):
    request = httpx2.Request("GET", "http://hub")
    response = httpx2.Response(429, headers=headers, request=request)
    error = HfHubHTTPError("limited", response=response)
    assert (hub_errors.retry_after(error), hub_errors.was_rate_limited(error)) == (seconds, True)


def test_a_download_is_refused_in_offline_mode(monkeypatch):
    monkeypatch.setattr(hub_errors.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FatalError, match="HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set"):
        download.fetch("owner/name", None, events=None)
