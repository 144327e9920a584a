"""A small Docker folder, written out as Docker 20.10 would: two layers, one image, one container."""

from __future__ import annotations

import hashlib
from pathlib import Path

RECORDS = "devicemapper/metadata"
LAYERS = "image/devicemapper/layerdb/sha256"
MOUNTS = "image/devicemapper/layerdb/mounts"
IMAGES = "image/devicemapper/imagedb/content/sha256"
PARENTS = "image/devicemapper/imagedb/metadata/sha256"
REPOSITORIES = "image/devicemapper/repositories.json"
TRANSACTION = f"{RECORDS}/transaction-metadata"

LOWER = "1" * 64
"""The lower layer: its chain id is the digest of its own content."""
DIFF = "2" * 64
"""The digest of the upper layer's content."""
UPPER = "9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5"
"""The upper layer: the digest of both (`printf 'sha256:1... sha256:2...' | sha256sum`)."""

LOWER_HASH, UPPER_HASH, MOUNT_HASH = "a" * 64, "b" * 64, "c" * 64
WEB = "d" * 64

CONFIG = (
    '{"architecture":"amd64","config":{"Labels":{"tier":"front"}},'
    '"created":"2020-01-02T03:04:05.678901234Z","os":"linux","rootfs":{"type":"layers",'
    f'"diff_ids":["sha256:{LOWER}","sha256:{DIFF}"]}}}}'
)


def write(root: Path, path: str, text: str | bytes) -> Path:
    """Write a file below a root, with the folders that it is in."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def device(root: Path, hash_: str, id_: int, transaction_id: int, *, more: str = "") -> None:
    """Write a device record."""
    text = (
        f'{{"device_id":{id_},"size":268435456,"transaction_id":{transaction_id},'
        f'"initialized":false,"deleted":false{more}}}'
    )
    write(root, f"{RECORDS}/{hash_}", text)


def layer(root: Path, name: str, hash_: str, parent: str | None = None) -> None:
    """Write a layer's folder."""
    write(root, f"{LAYERS}/{name}/cache-id", hash_)
    write(root, f"{LAYERS}/{name}/diff", f"sha256:{DIFF}")
    write(root, f"{LAYERS}/{name}/size", "1")
    if parent:
        write(root, f"{LAYERS}/{name}/parent", f"sha256:{parent}")


def image(root: Path, config: str, parent: str | None = None) -> str:
    """Write an image, and return its id."""
    id_ = hashlib.sha256(config.encode()).hexdigest()
    write(root, f"{IMAGES}/{id_}", config)
    if parent:
        write(root, f"{PARENTS}/{id_}/parent", f"sha256:{parent}")
    return id_


def mount(root: Path, name: str, hash_: str, parent: str | None = UPPER) -> None:
    """Write a container's mounts."""
    write(root, f"{MOUNTS}/{name}/mount-id", hash_)
    write(root, f"{MOUNTS}/{name}/init-id", f"{hash_}-init")
    if parent:
        write(root, f"{MOUNTS}/{name}/parent", f"sha256:{parent}")


def container(root: Path, id_: str, name: str, image_id: str, *, state: str = "") -> None:
    """Write a container's configuration."""
    text = (
        f'{{"State":{{{state or chr(34) + "Running" + chr(34) + ":false"}}},"ID":"{id_}",'
        f'"Created":"2020-01-02T03:04:06Z","Config":{{"Labels":{{"a.b":"c"}},"Image":"app"}},'
        f'"Image":"sha256:{image_id}","Name":"/{name}","Driver":"devicemapper"}}'
    )
    write(root, f"containers/{id_}/config.v2.json", text)


def transaction(root: Path, id_: int, hash_: str, device_id: int) -> None:
    """Write the last transaction."""
    text = f'{{"open_transaction_id":{id_},"device_hash":"{hash_}","device_id":{device_id}}}'
    write(root, TRANSACTION, text)


def small(root: Path) -> str:
    """Write the folder, and return the id of the image."""
    device(root, "base", 1, 1)
    device(root, LOWER_HASH, 2, 2)
    device(root, UPPER_HASH, 3, 3)
    device(root, f"{MOUNT_HASH}-init", 4, 4)
    device(root, MOUNT_HASH, 5, 5)
    write(root, f"{RECORDS}/deviceset-metadata", '{"next_device_id":5,"BaseDeviceUUID":"u"}')
    transaction(root, 5, MOUNT_HASH, 5)
    layer(root, LOWER, LOWER_HASH)
    layer(root, UPPER, UPPER_HASH, LOWER)
    id_ = image(root, CONFIG)
    write(
        root,
        REPOSITORIES,
        f'{{"Repositories":{{"app":{{"app:latest":"sha256:{id_}","app:1":"sha256:{id_}"}}}}}}',
    )
    mount(root, WEB, MOUNT_HASH)
    container(root, WEB, "web", id_)
    return id_
