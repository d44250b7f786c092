"""What can go wrong between here and the Hub, in words that a person can act on."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
from lines import FatalError

NETWORK = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)
TRANSIENT = (408, 429, 500, 502, 503, 504)


def is_transient(error: Exception) -> bool:
    """Whether it may work in a while, with nothing changed."""
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return error.response.status_code in TRANSIENT
    return isinstance(error, NETWORK)


@contextmanager
def told_in_words(name: str, token: str | None) -> Iterator[None]:
    """Raises FatalError for whatever the work inside fails of."""
    try:
        yield
    except FatalError:
        raise
    except Exception as error:
        raise to_fatal(error, name, token) from error


def hub_address() -> str:
    """As a person may see it: without a user and a password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", constants.ENDPOINT)


def to_fatal(error: Exception, name: str, token: str | None) -> FatalError:
    hub = hub_address()
    if isinstance(error, GatedRepoError):
        return gated(name, hub, has_token=bool(token or get_token()))
    if isinstance(error, RepositoryNotFoundError):
        message = f"There is no model {name} on {hub}, or it is private."
        return FatalError("model_not_found", message, "Check the id; a private one needs a token.")
    if isinstance(error, HFValidationError):
        return no_id(name)
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return refused(error.response.status_code, hub)
    if is_transient(error) or isinstance(error, FileMetadataError | httpx2.HTTPError):
        return FatalError(
            "network",
            f"{hub} cannot be reached, or does not answer as a Hugging Face Hub.",
            "Check the network connection, and HF_ENDPOINT if you use a mirror; then go on.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        cache = Path(constants.HF_HUB_CACHE)
        message = f"The disk is full: {free_bytes(cache) / 1e6:,.0f} MB are free where {cache} is."
        return FatalError("disk_full", message, "Free some space, then go on: nothing is lost.")
    if isinstance(error, ValueError | TypeError | KeyError | AssertionError):
        message = f"{hub} answers otherwise than a Hugging Face Hub: {error}"[:300]
        remedy = "Is there a portal to log in to, or another mirror in HF_ENDPOINT?"
        return FatalError("network", message, remedy)
    if isinstance(error, OSError) and error.filename:
        message = f"Cannot write {error.filename}: {error.strerror}."
        return FatalError("cannot_write", message, "Check who may write there, and HF_HOME.")
    return FatalError("failed", f"{type(error).__name__}: {error}"[:300], "Read the log.")


def no_id(name: str) -> FatalError:
    message = f"{name} is not an id of the Hugging Face Hub."
    remedy = "Give owner/name, such as mlx-community/Qwen3-VL-4B-Instruct-4bit."
    return FatalError("model_not_found", message, remedy)


def check_endpoint() -> None:
    """Raises FatalError when HF_ENDPOINT can be nobody's address."""
    try:
        address = urlsplit(constants.ENDPOINT)
        is_address = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        is_address = False
    if not is_address or not constants.ENDPOINT.isprintable():
        message = f"HF_ENDPOINT is no address of a Hub: {hub_address()!r}."
        raise FatalError("network", message, "Give a URL, such as https://huggingface.co.")


def check_token(token: str | None) -> None:
    """Raises FatalError for what cannot be sent as a token, without repeating it."""
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        message = "The Hugging Face token has a character in it that no token has."
        raise FatalError("bad_token", message, "Copy it again, as a whole and without more.")


def gated(name: str, hub: str, *, has_token: bool) -> FatalError:
    page = f"{hub}/{name}"
    if has_token:
        message = f"{name} is gated, and your Hugging Face token may not read it."
        remedy = f"Accept its conditions on {page} with the account of the token."
        return FatalError("gated", message, remedy)
    message = f"{name} is gated: its authors ask you to accept their conditions first."
    remedy = (
        f"Accept them on {page}, then give a token of that account, in the app or as HF_TOKEN "
        f"({hub}/settings/tokens makes one that may read)."
    )
    return FatalError("gated", message, remedy)


def refused(status: int, hub: str) -> FatalError:
    if status == 401:
        message = f"{hub} does not know the Hugging Face token."
        return FatalError("bad_token", message, f"Make a new one on {hub}/settings/tokens.")
    remedy = "Try again later." if status in TRANSIENT else "See what its page in a browser says."
    return FatalError("network", f"{hub} answered with status {status}.", remedy)


def free_bytes(folder: Path) -> int:
    """On the disk where the folder is, or is to be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
