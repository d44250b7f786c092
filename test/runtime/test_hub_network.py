"""Proxies and certificates as people set them, well and wrongly."""

import os
import shutil
import ssl
from pathlib import Path

import httpx2
import pytest

from hub import hub_errors, network
from shared.lines import FatalError

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = (*network.CERTIFICATES, "NODE_EXTRA_CA_CERTS")
PEM = next(
    (
        path
        for path in (ssl.get_default_verify_paths().openssl_cafile, "/etc/ssl/cert.pem")
        if Path(path).is_file()
    ),
    "/etc/ssl/certs/ca-certificates.crt",
)


@pytest.fixture(autouse=True)
def without_settings(monkeypatch):
    for name in (*PROXIES, *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("endpoint", ["https://hub.example", "http://me:secret@hub.example:8443"])
@pytest.mark.parametrize(
    "settings",
    [
        {"HTTPS_PROXY": "http://proxy.example:3128", "HTTP_PROXY": "http://other.example"},
        {"https_proxy": "proxy.example:3128", "http_proxy": "me:secret@proxy.example:3128"},
        {"ALL_PROXY": "http://me:secret@proxy.example:3128"},
        *(
            {"ALL_PROXY": "http://proxy.example", "NO_PROXY": hosts}
            for hosts in (
                "hub.example",
                ".example",
                "*.example",
                "example",
                "hub.example:8443",
                "hub.example:1",
                "localhost, 10.0.0.0/8 ,hub.example",
                "*",
                "example.com",
                "[bad",
            )
        ),
    ],
)
def test_the_reported_proxy_is_the_one_that_httpx_uses(monkeypatch, endpoint, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(network.constants, "ENDPOINT", endpoint)
    with httpx2.Client() as client:
        transport = client._transport_for_url(httpx2.URL(endpoint))
        pool = transport._pool
    used = getattr(pool, "_proxy_url", None)
    reported = network.proxy_in_use()
    assert (reported is None) == (used is None)
    assert "secret" not in f"{reported}"
    if used is not None:
        assert httpx2.URL(reported).host == used.host.decode()
        assert httpx2.URL(reported).port == used.port


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HTTPS_PROXY", "socks5://127.0.0.1:1080"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1080"),
        ("https_proxy", "ftp://me:secret@proxy.example"),
        ("HTTPS_PROXY", "http://proxy.example:port"),
        ("HTTPS_PROXY", "http://"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_reported_with_its_variable(monkeypatch, setting, value):
    monkeypatch.setenv(setting, value)
    with pytest.raises(FatalError) as caught:
        network.check_proxy()
    assert caught.value.reason == "network"
    assert caught.value.message.startswith(f"{setting} is ")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "settings",
    [
        {"HTTPS_PROXY": "http://proxy.example", "ALL_PROXY": "socks5://127.0.0.1:1080"},
        {"HTTP_PROXY": "socks5://127.0.0.1:1080"},
        {"ALL_PROXY": "socks5://127.0.0.1:1080", "NO_PROXY": "huggingface.co"},
    ],
)
def test_a_proxy_that_the_hub_does_not_need_may_be_unusable(monkeypatch, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(network.constants, "ENDPOINT", "https://huggingface.co")
    network.check_proxy()
    with httpx2.Client():
        assert os.environ.get("HTTPS_PROXY") == settings.get("HTTPS_PROXY")


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_that_cannot_be_read_are_reported_with_the_variable(
    monkeypatch, tmp_path, name
):
    (empty := tmp_path / "empty.pem").write_text("")
    (folder := tmp_path / "folder").mkdir()
    (folder / "company.pem").write_text("not named by its hash")
    for path in ("/nowhere/ca.pem", empty, folder):
        monkeypatch.setenv(name, str(path))
        with pytest.raises(FatalError) as caught:
            network.check_certificates()
        assert caught.value.message.startswith(f"{name} is {path}, wh")


@pytest.mark.skipif(not Path(PEM).is_file(), reason="this machine has no PEM file of certificates")
@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_may_be_a_file_or_a_folder(monkeypatch, tmp_path, name):
    (folder := tmp_path / "folder").mkdir()
    shutil.copy(PEM, folder / "01234567.0")
    folders = f"{tmp_path / 'missing'}{os.pathsep}{folder}"
    for path in (folders, folder) if name == "SSL_CERT_DIR" else (PEM, folder):
        monkeypatch.setenv(name, str(path))
        network.check_certificates()
        context = network.trusted_certificates()
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname


def test_the_strict_checks_that_company_certificates_fail_are_off(monkeypatch):
    if not Path(PEM).is_file():
        pytest.skip("this machine has no PEM file of certificates")
    monkeypatch.setenv("SSL_CERT_FILE", PEM)
    flags = network.trusted_certificates().verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


@pytest.mark.parametrize("chosen", [None, "REQUESTS_CA_BUNDLE"])
def test_a_certificate_that_is_not_trusted_is_reported_with_the_remedy(monkeypatch, chosen):
    if chosen is not None:
        monkeypatch.setenv(chosen, "/etc/company.pem")
    refused = ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED")
    refused.verify_message = "self-signed certificate in certificate chain"
    error = httpx2.ConnectError("failed")
    error.__cause__ = refused
    fatal = hub_errors.to_fatal(error, "owner/name", None)
    assert "is not trusted (self-signed" in fatal.message
    remedy = "SSL_CERT_FILE or REQUESTS_CA_BUNDLE" if chosen is None else "/etc/company.pem (REQ"
    assert remedy in fatal.remedy
    assert not hub_errors.is_transient(error)
