"""The proxy and the trusted certificates of downloads, as the user's environment names them."""

import os
import re
import ssl
from pathlib import Path

import httpx2
from httpx2._utils import URLPattern, get_environment_proxies
from huggingface_hub import constants

from shared.lines import FatalError

CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name trusted certificates; the first that is set wins. httpx reads the first two
itself; requests, curl and pip read the others. NODE_EXTRA_CA_CERTS adds to them."""

HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""OpenSSL finds a certificate in a folder only by such a name."""

USABLE = ("http", "https")
"""Kinds of proxy. SOCKS needs a package that is not installed."""


def proxy_in_use() -> str | None:
    """The proxy that httpx uses for the Hub, without its password."""
    proxy = _proxy_for_hub(get_environment_proxies())
    return None if proxy is None else CREDENTIALS.sub("", proxy)


def check_proxy() -> None:
    """Raises FatalError when the Hub's proxy cannot be used. Other unusable proxies are removed
    from the environment, because httpx refuses to start with them: ALL_PROXY is often SOCKS while
    HTTPS_PROXY is not."""
    proxies = get_environment_proxies()
    chosen = _proxy_for_hub(proxies)
    for pattern, proxy in proxies.items():
        if proxy is None or (problem := _proxy_problem(proxy)) is None:
            continue
        names = _variables(pattern.removesuffix("://"))
        if proxy == chosen:
            shown = CREDENTIALS.sub("", proxy)
            raise FatalError(
                "network",
                f"{names[0] if names else 'The system proxy'} is {shown}, {problem}"[:300],
                "Set HTTPS_PROXY to an HTTP proxy, such as http://proxy.example.com:3128, or add "
                "the Hub's host to NO_PROXY.",
            )
        for name in names:
            del os.environ[name]


def _proxy_for_hub(proxies: dict[str, str | None]) -> str | None:
    """As httpx2.Client picks it: the most specific pattern first."""
    url = httpx2.URL(constants.ENDPOINT)
    for pattern in sorted(map(URLPattern, proxies)):
        if pattern.matches(url):
            return proxies[pattern.pattern]
    return None


def _proxy_problem(proxy: str) -> str | None:
    try:
        url = httpx2.URL(proxy)
    except (httpx2.InvalidURL, ValueError):
        return "which is not an address."
    if url.scheme.startswith("socks"):
        return "but downloads cannot use a SOCKS proxy."
    return None if url.scheme in USABLE and url.host else "which is not an address."


def _variables(scheme: str) -> list[str]:
    """The variables that name a proxy; the first wins, as in Python's getproxies()."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return [name for name in names if os.environ.get(name)]


def check_certificates() -> None:
    """Raises FatalError when a variable names certificates that cannot be read."""
    for name in filter(None, (chosen_certificates(), "NODE_EXTRA_CA_CERTS")):
        path = os.environ.get(name)
        if not path:
            continue
        locations = _locations(name)
        if "capath" in locations and not _has_hashed(path):
            raise FatalError(
                "network",
                f"{name} is {path}, where OpenSSL finds no certificates: no file is named by its "
                "hash.",
                "Run `openssl rehash` on the folder, or set SSL_CERT_FILE to a PEM file instead.",
            )
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**locations)
        except (OSError, ValueError) as error:
            raise FatalError(
                "network",
                f"{name} is {path}, which has no readable certificates: {error}"[:300],
                f"Set {name} to a PEM file with your company's certificates, or unset it.",
            ) from error


def trusted_certificates() -> ssl.SSLContext:
    """What the download trusts: the certificates that the environment names, else the system's."""
    if (chosen := chosen_certificates()) is None:
        context = httpx2.create_ssl_context()
    else:
        # Not create_default_context(): from Python 3.13 on, it refuses the certificates of many
        # TLS-inspecting proxies, which curl and pip accept (VERIFY_X509_STRICT).
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The file may hold only the intermediate certificate that signs the others.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(**_locations(chosen))
    if os.environ.get("NODE_EXTRA_CA_CERTS"):
        context.load_verify_locations(**_locations("NODE_EXTRA_CA_CERTS"))
    return context


def chosen_certificates() -> str | None:
    """The variable that replaces the system's certificates."""
    return next((name for name in CERTIFICATES if os.environ.get(name)), None)


def _locations(name: str) -> dict[str, str]:
    path = os.environ[name]
    is_folder = name == "SSL_CERT_DIR" or Path(path).is_dir()
    return {"capath" if is_folder else "cafile": path}


def _has_hashed(path: str) -> bool:
    """SSL_CERT_DIR may list several folders."""
    folders = [Path(each) for each in path.split(os.pathsep) if Path(each).is_dir()]
    return any(HASHED.fullmatch(file.name) for folder in folders for file in folder.iterdir())


def certificate_problem(error: BaseException) -> str | None:
    """Why the server's certificate was refused, if that is what went wrong."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message
        seen = seen.__cause__ or seen.__context__
    text = str(error)
    return text if "CERTIFICATE_VERIFY_FAILED" in text else None
