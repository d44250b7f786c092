"""Errors of the Hugging Face Hub, explained with what to do about them."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers

from hub.network import CREDENTIALS, certificate_problem, chosen_certificates, proxy_in_use
from shared.lines import FatalError

NETWORK = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)
TRANSIENT = (408, 429, 500, 502, 503, 504)
UNAVAILABLE = (502, 503, 504)


def is_transient(error: Exception) -> bool:
    """Whether a retry may succeed."""
    if (status := status_of(error)) is not None:
        return status in TRANSIENT
    return isinstance(error, NETWORK) and certificate_problem(error) is None


def is_unavailable(error: Exception) -> bool:
    """Whether the Hub or the proxy answered that it does not work at the moment."""
    return status_of(error) in UNAVAILABLE


def status_of(error: Exception) -> int | None:
    """The status that the Hub answered, or the proxy when asked to connect to the Hub."""
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return error.response.status_code
    # httpx2 keeps the proxy's status only in the text: "503 Service Unavailable".
    if isinstance(error, httpx2.ProxyError) and (first := str(error)[:3]).isdigit():
        return int(first)
    return None


@contextmanager
def explained(name: str, token: str | None) -> Iterator[None]:
    """Raises FatalError when the work inside fails, with a message for the user."""
    try:
        yield
    except FatalError:
        raise
    except Exception as error:
        raise to_fatal(error, name, token) from error


def hub_address() -> str:
    """The Hub's address without user name and password."""
    return CREDENTIALS.sub("", constants.ENDPOINT)


def to_fatal(error: Exception, name: str, token: str | None) -> FatalError:
    hub = hub_address()
    if isinstance(error, GatedRepoError):
        return gated(name, hub, has_token=bool(token or get_token()))
    if isinstance(error, RepositoryNotFoundError):
        message = f"{hub} has no model {name}, or it is private."
        remedy = "Check the id. A private model needs a token."
        return FatalError("model_not_found", message, remedy)
    if isinstance(error, HFValidationError):
        return not_an_id(name)
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return refused(error.response.status_code, hub)
    if (reason := certificate_problem(error)) is not None:
        return FatalError(
            "network",
            f"The certificate of {hub} is not trusted ({reason}).",
            to_trust(),
        )
    if isinstance(error, httpx2.ProxyError) and status_of(error) == 407:
        return refused(407, hub)
    if isinstance(error, httpx2.ProxyError):
        return FatalError(
            "network",
            f"The proxy refused the connection to {hub}: {CREDENTIALS.sub('', str(error))}"[:300],
            "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY.",
        )
    if isinstance(error, httpx2.ConnectError) and (proxy := proxy_in_use()) is not None:
        return FatalError(
            "network",
            f"{hub} cannot be reached through the proxy {proxy}.",
            "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY, and the network connection. Then continue.",
        )
    if is_transient(error) or isinstance(error, FileMetadataError | httpx2.HTTPError):
        return FatalError(
            "network",
            f"{hub} cannot be reached, or is not a Hugging Face Hub.",
            "Check the network connection, and HF_ENDPOINT if you use a mirror. Then continue.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        cache = Path(constants.HF_HUB_CACHE)
        message = f"The disk is full: {free_bytes(cache) / 1e6:,.0f} MB are free at {cache}."
        return FatalError("disk_full", message, "Free some space, then continue. Nothing is lost.")
    if isinstance(error, ValueError | TypeError | KeyError | AssertionError):
        message = f"{hub} did not answer like a Hugging Face Hub: {error}"[:300]
        remedy = "Log in to the network if it asks you to. With a mirror, check HF_ENDPOINT."
        return FatalError("network", message, remedy)
    if isinstance(error, OSError) and error.filename:
        message = f"Cannot write {error.filename}: {error.strerror}."
        return FatalError("cannot_write", message, "Check the folder's permissions, and HF_HOME.")
    return FatalError("failed", f"{type(error).__name__}: {error}"[:300], "Read the log.")


def to_trust() -> str:
    """How to have a company's certificates trusted."""
    if (chosen := chosen_certificates()) is not None:
        path = os.environ[chosen]
        return f"If your company inspects TLS, add its certificates to {path} ({chosen})."
    return (
        "If your company inspects TLS, set SSL_CERT_FILE or REQUESTS_CA_BUNDLE to a PEM file with "
        "its certificates."
    )


def not_an_id(name: str) -> FatalError:
    message = f"{name} is not a Hugging Face model id."
    remedy = "Use owner/name, such as mlx-community/Qwen3-VL-4B-Instruct-4bit."
    return FatalError("model_not_found", message, remedy)


def check_endpoint() -> None:
    """Raises FatalError when HF_ENDPOINT is not a valid address."""
    try:
        address = urlsplit(constants.ENDPOINT)
        is_address = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        is_address = False
    if not is_address or not constants.ENDPOINT.isprintable():
        message = f"HF_ENDPOINT is not the address of a Hub: {hub_address()!r}."
        raise FatalError("network", message, "Set it to a URL, such as https://huggingface.co.")


def check_online(name: str) -> None:
    """Raises FatalError when the user has switched the network off."""
    if constants.is_offline_mode():
        raise FatalError(
            "offline",
            f"{name} cannot be downloaded: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set.",
            "Unset it, then run the command again.",
        )


def was_rate_limited(error: Exception) -> bool:
    return (
        isinstance(error, HfHubHTTPError)
        and error.response is not None
        and error.response.status_code == 429
    )


def retry_after(error: Exception) -> float | None:
    """The seconds that a refusal asks to wait: in Retry-After, a number or a date, or RateLimit."""
    if not isinstance(error, HfHubHTTPError) or error.response is None:
        return None
    headers = error.response.headers
    given = headers.get("retry-after", "").strip()
    if given.isdigit():
        return float(given)
    if given:
        try:
            return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
        except (ValueError, TypeError):
            pass
    limit = parse_ratelimit_headers(headers)
    return None if limit is None else float(limit.reset_in_seconds)


def check_token(token: str | None) -> None:
    """Raises FatalError for an invalid token, without repeating it."""
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        message = "The Hugging Face token contains an invalid character."
        raise FatalError("bad_token", message, "Copy the whole token again.")


def gated(name: str, hub: str, *, has_token: bool) -> FatalError:
    page = f"{hub}/{name}"
    if has_token:
        message = f"{name} is gated, and your Hugging Face token has no access to it."
        remedy = f"Accept its terms on {page} with the account of that token."
        return FatalError("gated", message, remedy)
    message = f"{name} is gated: you must accept its terms first."
    remedy = (
        f"Accept them on {page}, then enter a token of that account in the app or set HF_TOKEN "
        f"(create one with read access on {hub}/settings/tokens)."
    )
    return FatalError("gated", message, remedy)


def refused(status: int, hub: str) -> FatalError:
    if status == 401:
        message = f"{hub} rejected the Hugging Face token."
        return FatalError("bad_token", message, f"Create a new one on {hub}/settings/tokens.")
    if status == 429:
        message = f"{hub} has rate-limited this computer (status 429)."
        remedy = "Wait a few minutes, or set a token in HF_TOKEN."
        return FatalError("rate_limited", message, remedy)
    if status == 407:
        message = "The proxy requires a user name and password (status 407)."
        remedy = "Set them in HTTPS_PROXY: http://user:password@host:port."
        return FatalError("network", message, remedy)
    remedy = "Try again later." if status in TRANSIENT else "Open it in a browser to see why."
    return FatalError("network", f"{hub} answered with status {status}.", remedy)


def free_bytes(folder: Path) -> int:
    """Free space on the disk of a folder, which may not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
