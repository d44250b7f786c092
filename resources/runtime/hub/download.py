"""Brings a model from the Hugging Face Hub into its cache, as huggingface_hub lays it out.

Until every file is whole and its hash is right, all of it lies in a folder of its own, where nobody
takes it for a model: a process may be killed at any time, and the next one goes on from there.
"""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from httpx2 import Client
from huggingface_hub import HfApi, constants, get_token, set_client_factory, snapshot_download
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import filter_repo_objects
from huggingface_hub.utils._http import hf_request_event_hook

from hub.hub_errors import (
    check_certificates,
    check_endpoint,
    check_online,
    check_token,
    explained,
    free_bytes,
    not_an_id,
    trusted_certificates,
)
from hub.hub_file import Ears, HubFile, bring, hash_of
from hub.progress import Progress
from shared.hub_cache import DOT_FILES, MODEL_FILES
from shared.lines import FatalError, LifeLines
from shared.model_folder import CONVERT, HUB_NAME, check_quantization

UNFINISHED = "sightglass-download"
"""The folder, in that of the repository, where a download grows. `server/models` lists them."""

COMMIT = re.compile(r"[0-9a-f]{40}")
"""It becomes the name of a folder, and comes from outside."""

AT_ONCE = 4
ANSWER_SECONDS = 30
"""huggingface_hub would wait for ever for a Hub that takes a question and never answers."""
SPARE_BYTES = 100_000_000
"""Left free on the disk."""


def repository_folder(name: str) -> Path:
    if HUB_NAME.fullmatch(name) is None:
        raise not_an_id(name)
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")


def fetch(name: str, token: str | None, lines: LifeLines) -> None:
    """Says `planned`, `progress`, `waiting`, `verifying` and at last `fetched`."""
    token = token.strip() if token else None
    with explained(name, token):
        check_online(name)
        check_endpoint()
        check_certificates()
        check_token(token or get_token())
        set_client_factory(impatient_client)
        repository = repository_folder(name)
        revision, files = plan(name, token)
        folder = repository / UNFINISHED
        folder.mkdir(parents=True, exist_ok=True)
        with held_alone(folder, name):
            missing = not_here(files, repository / "blobs", lines)
            total = sum(file.size for file in missing)
            done = sum(file.bytes_here(folder) for file in missing)
            (folder / "download.json").write_text(json.dumps({"id": name, "total_bytes": total}))
            lines.say("planned", total_bytes=total, done_bytes=done)
            check_disk(total - done, folder)
            progress = Progress(lines, done, total)
            try:
                bring_all(missing, folder, token, progress)
            finally:
                progress.stop()
            path = publish(name, revision, missing, repository, token)
            shutil.rmtree(folder)
    lines.say("fetched", path=path)


def discard(name: str, lines: LifeLines) -> None:
    """Removes what has come of an unfinished download; a model that is here stays."""
    with explained(name, None):
        # An invalid id has no download.
        repository = repository_folder(name) if HUB_NAME.fullmatch(name) else None
        if repository is not None and (folder := repository / UNFINISHED).exists():
            with held_alone(folder, name):
                shutil.rmtree(folder)
            if not any(repository.iterdir()):
                repository.rmdir()
    lines.say("discarded")


def held_alone(folder: Path, name: str) -> AbstractContextManager:
    """Given back by the system when the process ends, however it does."""
    try:
        return FileLock(folder / "lock").acquire(timeout=0)
    except Timeout as error:
        message = f"{name} is already being downloaded by another window or command."
        raise FatalError("busy", message, "Wait for it, or stop it there.") from error


def plan(name: str, token: str | None) -> tuple[str, list[HubFile]]:
    """The newest revision, and what mlx_vlm needs of it, the smallest first."""
    api = HfApi(token=token)
    revision = api.model_info(name, timeout=ANSWER_SECONDS).sha
    if not COMMIT.fullmatch(revision):
        raise ValueError(f"{revision!r} is no commit.")
    listed = api.list_repo_tree(name, recursive=True, revision=revision)
    there = {file.path: file for file in listed if isinstance(file, RepoFile)}
    wanted = [there[path] for path in filter_repo_objects(there, allow_patterns=MODEL_FILES)]
    wanted = [file for file in wanted if not PurePosixPath(file.path).name.startswith(".")]
    if not any(file.path.endswith(".safetensors") for file in wanted):
        message = f"{name} has no weights as .safetensors files, so MLX cannot load it."
        raise FatalError("unsupported_model", message, CONVERT)
    if not any(file.path == "config.json" for file in wanted):
        raise FatalError("unsupported_model", f"{name} has no config.json.", CONVERT)
    files = [HubFile.of(name, revision, file) for file in wanted]
    return revision, sorted(files, key=lambda file: file.size)


def impatient_client() -> Client:
    """huggingface_hub's default client, with a timeout and the environment's certificates."""
    return Client(
        event_hooks={"request": [hf_request_event_hook]},
        follow_redirects=True,
        timeout=ANSWER_SECONDS,
        verify=trusted_certificates(),
    )


def not_here(files: list[HubFile], blobs: Path, lines: LifeLines) -> list[HubFile]:
    """Each content once, and none that another revision has brought already. Who asks for a model
    that seems to be here may have one that is damaged: then every hash is compared."""
    contents = {file.etag: file for file in files}.values()
    missing = [file for file in contents if not file.has_its_size(blobs / file.etag)]
    if missing:
        return missing
    lines.say("verifying", file=str(blobs))
    return [file for file in contents if hash_of(blobs / file.etag, file.etag) != file.etag]


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


def bring_all(files: list[HubFile], folder: Path, token: str | None, progress: Progress) -> None:
    """Some at once. The first that fails ends all: what has come of the others stays."""
    ears = Ears(progress.arrived, progress.waits, progress.verifies)
    configs = [file for file in files if file.path == "config.json"]
    for config in configs:
        bring(config, folder, token, ears)
        check_type(config.here(folder))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        works = [pool.submit(bring, file, folder, token, ears) for file in files]
        for work in as_completed(works):
            if error := work.exception():
                progress.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise error


def check_type(config: Path) -> None:
    """Checks, before the weights are downloaded, that mlx_vlm can load such a model."""
    from hub.inspection import known_architecture

    content = json.loads(config.read_text("utf-8"))
    check_quantization(content)
    known_architecture(content)


def publish(
    name: str, revision: str, files: list[HubFile], repository: Path, token: str | None
) -> str:
    """Moves the files into the cache; huggingface_hub makes a snapshot of them. Its name is written
    last: until then nobody finds it."""
    blobs = repository / "blobs"
    blobs.mkdir(exist_ok=True)
    for file in files:
        file.here(repository / UNFINISHED).rename(blobs / file.etag)
    path = snapshot_download(
        name,
        revision=revision,
        token=token,
        allow_patterns=MODEL_FILES,
        ignore_patterns=DOT_FILES,
        max_workers=AT_ONCE,
    )
    main = repository / "refs/main"
    main.parent.mkdir(exist_ok=True)
    (fresh := main.with_suffix(".new")).write_text(revision)
    fresh.replace(main)
    return path
