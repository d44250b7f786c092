"""Downloads a model from the Hugging Face Hub into the cache of huggingface_hub.

Files are kept in a separate folder until all of them are complete and verified, so an incomplete
download is never mistaken for a model. A process may be killed at any time; the next one resumes.
"""

import json
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from filelock import FileLock, Timeout
from httpx2 import Client
from huggingface_hub import HfApi, constants, get_token, set_client_factory, snapshot_download
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import filter_repo_objects
from huggingface_hub.utils._http import hf_request_event_hook

from hub.hub_errors import (
    check_endpoint,
    check_online,
    check_token,
    explained,
    free_bytes,
    is_unavailable,
    not_an_id,
)
from hub.hub_file import HubFile, download_verified, hash_file
from hub.network import check_certificates, check_proxy, trusted_certificates
from hub.progress import Progress
from shared.hub_cache import DOT_FILES, MODEL_FILES, UNFINISHED
from shared.lines import EventWriter, FatalError
from shared.model_folder import CONVERT, HUB_NAME, check_quantization

Answer = TypeVar("Answer")

COMMIT = re.compile(r"[0-9a-f]{40}")
"""Commits from the Hub are checked, because they become folder names."""

CONCURRENT_FILES = 4
TIMEOUT_SECONDS = 30
"""Without a timeout, huggingface_hub would wait forever for a Hub that does not respond."""
RETRY_SECONDS = (1, 2)
SPARE_BYTES = 100_000_000
"""Disk space that a download leaves free."""


def repository_folder(name: str) -> Path:
    if HUB_NAME.fullmatch(name) is None:
        raise not_an_id(name)
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")


def fetch(name: str, token: str | None, events: EventWriter) -> None:
    """Writes the events `planned`, `progress`, `waiting`, `verifying` and finally `fetched`."""
    token = token.strip() if token else None
    with explained(name, token):
        check_online(name)
        check_endpoint()
        check_proxy()
        check_certificates()
        check_token(token or get_token())
        set_client_factory(client_with_timeout)
        repository = repository_folder(name)
        revision, files = plan(name, token)
        folder = repository / UNFINISHED
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(folder, name):
            missing = find_missing(files, repository / "blobs", events)
            total = sum(file.size for file in missing)
            done = sum(file.downloaded_bytes(folder) for file in missing)
            (folder / "download.json").write_text(json.dumps({"id": name, "total_bytes": total}))
            events.write("planned", total_bytes=total, done_bytes=done)
            check_disk(total - done, folder)
            progress = Progress(events, done, total)
            try:
                download_all(missing, folder, token, progress)
            finally:
                progress.stop()
            path = publish(name, revision, missing, repository, token)
            shutil.rmtree(folder)
    events.write("fetched", path=path)


def discard(name: str, events: EventWriter) -> None:
    """Removes an unfinished download. A complete model is not touched."""
    with explained(name, None):
        # There is no download for an invalid id.
        repository = repository_folder(name) if HUB_NAME.fullmatch(name) else None
        if repository is not None and (folder := repository / UNFINISHED).exists():
            with exclusive_lock(folder, name):
                shutil.rmtree(folder)
            if not any(repository.iterdir()):
                repository.rmdir()
    events.write("discarded")


def exclusive_lock(folder: Path, name: str) -> AbstractContextManager:
    """Locks a download. The system releases the lock when the process ends for any reason."""
    try:
        return FileLock(folder / "lock").acquire(timeout=0)
    except Timeout as error:
        message = f"{name} is already being downloaded by another window or command."
        raise FatalError("busy", message, "Wait until it is finished, or stop it there.") from error


def plan(name: str, token: str | None) -> tuple[str, list[HubFile]]:
    """The latest revision, and its files that mlx_vlm needs, the smallest first."""
    api = HfApi(token=token)
    revision = answer_of(lambda: api.model_info(name, timeout=TIMEOUT_SECONDS)).sha
    if not COMMIT.fullmatch(revision):
        raise ValueError(f"{revision!r} is not a commit.")
    listed = answer_of(lambda: [*api.list_repo_tree(name, recursive=True, revision=revision)])
    available = {file.path: file for file in listed if isinstance(file, RepoFile)}
    paths = filter_repo_objects(available, allow_patterns=MODEL_FILES)
    wanted = [available[path] for path in paths if not PurePosixPath(path).name.startswith(".")]
    if not any(file.path.endswith(".safetensors") for file in wanted):
        message = f"{name} has no weights as .safetensors files, so MLX cannot load it."
        raise FatalError("unsupported_model", message, CONVERT)
    if not any(file.path == "config.json" for file in wanted):
        raise FatalError("unsupported_model", f"{name} has no config.json.", CONVERT)
    files = [HubFile.of(name, revision, file) for file in wanted]
    return revision, sorted(files, key=lambda file: file.size)


def answer_of(ask: Callable[[], Answer]) -> Answer:
    """Asks the Hub, and again up to twice while it or the proxy is unavailable."""
    for seconds in RETRY_SECONDS:
        try:
            return ask()
        except Exception as error:
            if not is_unavailable(error):
                raise
        time.sleep(seconds)
    return ask()


def client_with_timeout() -> Client:
    """huggingface_hub's default client, with a timeout and the environment's certificates."""
    return Client(
        event_hooks={"request": [hf_request_event_hook]},
        follow_redirects=True,
        timeout=TIMEOUT_SECONDS,
        verify=trusted_certificates(),
    )


def find_missing(files: list[HubFile], blobs: Path, events: EventWriter) -> list[HubFile]:
    """The files to download, without duplicates and files shared with another revision. If none is
    missing, the model may be damaged, so every hash is verified."""
    contents = {file.etag: file for file in files}.values()
    missing = [file for file in contents if not file.has_expected_size(blobs / file.etag)]
    if missing:
        return missing
    events.write("verifying", file=str(blobs))
    return [file for file in contents if hash_file(blobs / file.etag, file.etag) != file.etag]


def check_disk(bytes_to_come: int, folder: Path) -> None:
    free = free_bytes(folder)
    if bytes_to_come + SPARE_BYTES <= free:
        return
    message = (
        f"Not enough disk space: {bytes_to_come / 1e9:.2f} GB are needed, and "
        f"{free / 1e9:.2f} GB are free at {folder.parent}."
    )
    more = (bytes_to_come + SPARE_BYTES - free) / 1e9
    remedy = f"Free {more:.2f} GB more, or point HF_HOME to another disk."
    raise FatalError("disk_full", message, remedy)


def download_all(files: list[HubFile], folder: Path, token: str | None, progress: Progress) -> None:
    """Downloads several files at once. The first error stops all of them; what has been downloaded
    is kept."""
    configs = [file for file in files if file.path == "config.json"]
    for config in configs:
        download_verified(config, folder, token, progress)
        check_type(config.verified_path(folder))
    with ThreadPoolExecutor(CONCURRENT_FILES) as pool:
        futures = [pool.submit(download_verified, file, folder, token, progress) for file in files]
        for future in as_completed(futures):
            if error := future.exception():
                progress.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise error


def check_type(config: Path) -> None:
    """Raises FatalError, before the weights are downloaded, if mlx_vlm cannot load such a model."""
    from hub.inspection import known_architecture

    content = json.loads(config.read_text("utf-8"))
    check_quantization(content)
    known_architecture(content)


def publish(
    name: str, revision: str, files: list[HubFile], repository: Path, token: str | None
) -> str:
    """Moves the files into the cache, where huggingface_hub creates a snapshot of them. The
    reference to the snapshot is written last, so an incomplete one is never found."""
    blobs = repository / "blobs"
    blobs.mkdir(exist_ok=True)
    for file in files:
        file.verified_path(repository / UNFINISHED).rename(blobs / file.etag)
    path = snapshot_download(
        name,
        revision=revision,
        token=token,
        allow_patterns=MODEL_FILES,
        ignore_patterns=DOT_FILES,
        max_workers=CONCURRENT_FILES,
    )
    main = repository / "refs/main"
    main.parent.mkdir(exist_ok=True)
    (new := main.with_suffix(".new")).write_text(revision)
    new.replace(main)
    return path
