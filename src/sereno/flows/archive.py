"""The archive of a backup: a compressed tar whose manifest names every file with its size and digest.

Reading trusts nothing of it: names stay inside, sizes and digests are compared while files are written
beside, and the last byte has been checked before anything else looks at them.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO

from sereno.domain.errors import BackupCorrupt, DiskFull

__all__ = ["Manifest", "pack", "sync_folder", "unpack"]

MANIFEST = "manifest.json"
FORMAT = 1
MAX_MANIFEST_BYTES = 16 * 2**20
BLOCK_BYTES = 1 << 20
OWNER_ONLY = 0o600
"""A backup holds everything that a workspace knows."""

COMPRESSION = 3
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        version: Of the sereno that wrote it.
        at: When.
        files: Size [bytes] and SHA-256 of each member.
        facts: What the writer adds: the snapshot of the store.
    """

    version: str
    at: datetime
    files: Mapping[str, tuple[int, str]]
    facts: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """As it stands in the archive."""
        files = {name: {"bytes": size, "sha256": digest} for name, (size, digest) in self.files.items()}
        about = {"format": FORMAT, "version": self.version, "at": self.at.isoformat()}
        return {**about, **self.facts, "files": files}


def pack(folder: Path, archive: Path, *, version: str, at: datetime, facts: Mapping[str, object]) -> Manifest:
    """Write all files of a folder as an archive that appears under its name once it has been read back.

    Raises:
        BackupCorrupt: What was written cannot be read.
        OSError: There is no space, or no permission.
    """
    paths = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    files = {name: (path.stat().st_size, _digest(path)) for name, path in paths.items()}
    manifest = Manifest(version, at, files, facts)
    partial = archive.with_name(f"{archive.name}.part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "wb") as raw:
            _write(raw, manifest, paths)
            raw.flush()
            os.fsync(raw.fileno())
        unpack(partial, None)
        partial.replace(archive)
        sync_folder(archive.parent)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def unpack(archive: Path, into: Path | None) -> Manifest:
    """Check an archive to its last byte and write its files into a folder, if one is given.

    Raises:
        BackupCorrupt: It is cut, altered, or holds what no backup holds; what was written is of no use.
        DiskFull: Its files would not fit.
        OSError: It cannot be read.
    """
    try:
        with gzip.open(archive) as plain:
            with tarfile.open(fileobj=plain, mode="r|") as members:
                manifest = _read_members(archive, members, into)
            _check_end(archive, plain)
            return manifest
    except _BROKEN as error:
        raise BackupCorrupt(file=str(archive), detail=str(error) or type(error).__name__) from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(raw: IO[bytes], manifest: Manifest, paths: Mapping[str, Path]) -> None:
    text = json.dumps(manifest.to_json(), ensure_ascii=False, allow_nan=False, indent=1).encode()
    at = int(manifest.at.timestamp())
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", compresslevel=COMPRESSION, mtime=at) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as members,
    ):
        members.addfile(_member(MANIFEST, len(text), at), io.BytesIO(text))
        for name, path in paths.items():
            with path.open("rb") as content:
                members.addfile(_member(name, manifest.files[name][0], at), content)


def _member(name: str, size: int, at: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, at, OWNER_ONLY
    return member


def _read_members(archive: Path, members: tarfile.TarFile, into: Path | None) -> Manifest:
    each = iter(members)
    manifest = _read_manifest(archive, members, next(each, None))
    if into is not None:
        _check_room(manifest, into)
    left = dict(manifest.files)
    for member in each:
        size, digest = left.pop(member.name, (None, ""))
        if size is None or not member.isreg() or member.size != size:
            raise _corrupt(archive, f"the manifest does not know {_shown(member.name)} as it is")
        content = members.extractfile(member)
        assert content is not None  # a regular file has content
        if _copy(content, None if into is None else into / member.name) != digest:
            raise _corrupt(archive, f"{_shown(member.name)} is not what was written")
    if left:
        raise _corrupt(archive, f"{_shown(min(left))} is missing")
    return manifest


def _read_manifest(archive: Path, members: tarfile.TarFile, first: tarfile.TarInfo | None) -> Manifest:
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST_BYTES:
        raise _corrupt(archive, f"it does not begin with {MANIFEST}")
    content = members.extractfile(first)
    assert content is not None
    try:
        said = json.loads(content.read())
        if said.pop("format") != FORMAT:
            raise ValueError("format")
        files = {str(n): (int(one["bytes"]), str(one["sha256"])) for n, one in said.pop("files").items()}
        manifest = Manifest(str(said.pop("version")), datetime.fromisoformat(said.pop("at")), files, said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(archive, f"its manifest cannot be read ({error})") from error
    for name in files:
        if not _stays_inside(name):
            raise _corrupt(archive, f"{_shown(name)} is no name of a file in a workspace")
    return manifest


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    is_plain = path.as_posix() == name and "\\" not in name and name.isprintable()
    return bool(name) and is_plain and not path.is_absolute() and ".." not in path.parts and name != "."


def _check_room(manifest: Manifest, into: Path) -> None:
    if sum(size for size, _ in manifest.files.values()) > shutil.disk_usage(into).free:
        raise DiskFull(store=str(into))


def _check_end(archive: Path, plain: gzip.GzipFile) -> None:
    """The checksum of the compressed stream stands behind its last byte; only padding may come before."""
    while block := plain.read(BLOCK_BYTES):
        if block.strip(b"\0"):
            raise _corrupt(archive, "something follows its last file")


def _copy(content: IO[bytes], path: Path | None) -> str:
    """Write a member to a new file, if one is given; returns the SHA-256."""
    digest = hashlib.sha256()
    if path is None:
        for block in _blocks(content):
            digest.update(block)
        return digest.hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for block in _blocks(content):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return _copy(content, None)


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    while block := content.read(BLOCK_BYTES):
        yield block


def _corrupt(archive: Path, detail: str) -> BackupCorrupt:
    return BackupCorrupt(file=str(archive), detail=detail)


def _shown(name: str) -> str:
    return ascii(name[:200])
