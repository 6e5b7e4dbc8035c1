"""Bundles: a log, or its first entries, exported for somebody who verifies it offline. A directory, `.tar` or `.zip`.

```
bundle.json            {"format": "consentry bundle v1", "origin", "size", "checkpoints": [SIZE, …]}
checkpoint             the signed checkpoint of the whole bundle
checkpoints/<size>     earlier signed checkpoints
keys                   the log's keys with their ranges, for comparison: trust comes from elsewhere
disclosures.json       values and salts of commitments that the reader may see
tile/…                 hash tiles and entry bundles, as C2SP tlog-tiles lays them out
```
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from consentry.ledger.errors import ReceiptInvalid, TileInvalid, TileMissing
from consentry.ledger.keys import LogKey, format_keys
from consentry.ledger.receipt import Disclosure, parse_disclosure, parse_object, text_of
from consentry.ledger.tiles import DirectoryReader, MappingReader, TileReader, bundles_of, tiles_of

BUNDLE_FORMAT = "consentry bundle v1"
MAX_FILE_BYTES = 64 * 2**20
"""No file of a bundle is longer: an entry bundle is at most 16 MiB."""
_MAX_CHECKPOINTS = 100_000


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `bundle.json` says."""

    origin: str
    size: int
    checkpoints: tuple[int, ...]

    def encode(self) -> bytes:
        """The bytes of `bundle.json`."""
        document = {"format": BUNDLE_FORMAT, "origin": self.origin, "size": self.size, "checkpoints": self.checkpoints}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @staticmethod
    def decode(data: bytes) -> Manifest:
        """Read `bundle.json`; raises `ReceiptInvalid`."""
        document = parse_object(data, {"format", "origin", "size", "checkpoints"})
        size, sizes = document["size"], document["checkpoints"]
        if document["format"] != BUNDLE_FORMAT:
            raise ReceiptInvalid(f"bundle: this program reads `{BUNDLE_FORMAT}` only")
        if type(size) is not int or not isinstance(sizes, list) or len(sizes) > _MAX_CHECKPOINTS:
            raise ReceiptInvalid("bundle: `size` must be a number and `checkpoints` a list of sizes")
        if any(type(each) is not int or each < 0 for each in sizes):
            raise ReceiptInvalid("bundle: `checkpoints` must be a list of sizes")
        return Manifest(text_of(document, "origin"), size, tuple(sizes))


def bundle_files(
    reader: TileReader,
    manifest: Manifest,
    checkpoint: bytes,
    checkpoints: Mapping[int, bytes],
    keys: Sequence[LogKey],
    disclosures: Sequence[Disclosure] = (),
) -> Iterator[tuple[str, bytes]]:
    """The files of a bundle, path and bytes, one at a time; tiles come from `reader`."""
    yield "bundle.json", manifest.encode()
    yield "checkpoint", checkpoint
    for size in manifest.checkpoints:
        yield f"checkpoints/{size}", checkpoints[size]
    yield "keys", format_keys(keys).encode()
    yield "disclosures.json", orjson.dumps([d.to_json() for d in disclosures])
    for name in (*bundles_of(manifest.size), *tiles_of(manifest.size)):
        yield name.path, reader.read(name.path)


def write_bundle(target: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a bundle: a `.zip`, a `.tar`, or else a directory, which must be new."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files:
                archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    elif target.suffix == ".tar":
        with tarfile.open(target, "x:") as archive:
            for path, data in files:
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(data), 0o644
                archive.addfile(member, io.BytesIO(data))
    else:
        target.mkdir(parents=True)
        for path, data in files:
            file = target.joinpath(*path.split("/"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


@contextmanager
def open_files(path: Path) -> Iterator[TileReader]:
    """The files of a directory or archive, to read by their path; raises `ReceiptInvalid` for anything else."""
    if path.is_dir():
        yield DirectoryReader(path)
        return
    with _open_archive(path) as reader:
        yield reader


def read_disclosures(reader: TileReader) -> tuple[Disclosure, ...]:
    """The disclosures of a bundle; none where it has no such file. Raises `ReceiptInvalid`."""
    try:
        found = orjson.loads(reader.read("disclosures.json"))
    except TileMissing:
        return ()
    except orjson.JSONDecodeError as error:
        raise ReceiptInvalid("bundle: `disclosures.json` is not JSON") from error
    if not isinstance(found, list):
        raise ReceiptInvalid("bundle: `disclosures.json` must be a list")
    return tuple(parse_disclosure(each) for each in found)


def _open_archive(path: Path) -> AbstractContextManager[TileReader]:
    if zipfile.is_zipfile(path):
        return _open_zip(path)
    return _open_tar(path)


@contextmanager
def _open_zip(path: Path) -> Iterator[TileReader]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ReceiptInvalid("bundle: a damaged zip archive") from error
    with archive:
        if len(set(archive.namelist())) != len(archive.namelist()):
            raise ReceiptInvalid("bundle: the zip archive holds two files of one name")
        yield _ZipReader(archive)


@dataclass(frozen=True, slots=True)
class _ZipReader:
    archive: zipfile.ZipFile

    def read(self, path: str) -> bytes:
        try:
            info = self.archive.getinfo(path)
        except KeyError as error:
            raise TileMissing(f"`{path}` is not there") from error
        if info.file_size > MAX_FILE_BYTES:
            raise TileInvalid(f"`{path}` is longer than {MAX_FILE_BYTES} bytes")
        try:
            with self.archive.open(info) as file:
                return file.read(MAX_FILE_BYTES)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise TileInvalid(f"`{path}` is damaged inside the archive") from error


@contextmanager
def _open_tar(path: Path) -> Iterator[TileReader]:
    """An uncompressed tar, indexed once. A compressed one would be unpacked anew for each step back: it is refused."""
    with path.open("rb") as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                members = [member for member in archive if member.isreg()]
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            raise ReceiptInvalid("bundle: neither a directory nor a `.zip` or uncompressed `.tar` archive") from error
        places = {member.name: (member.offset_data, member.size) for member in members}
        if len(places) != len(members):
            raise ReceiptInvalid("bundle: the tar archive holds two files of one name")
        yield _TarReader(file.fileno(), places)


@dataclass(frozen=True, slots=True)
class _TarReader:
    file: int
    places: Mapping[str, tuple[int, int]]

    def read(self, path: str) -> bytes:
        if path not in self.places:
            raise TileMissing(f"`{path}` is not there")
        offset, size = self.places[path]
        if size > MAX_FILE_BYTES:
            raise TileInvalid(f"`{path}` is longer than {MAX_FILE_BYTES} bytes")
        return os.pread(self.file, size, offset)


def in_memory(files: Iterable[tuple[str, bytes]]) -> MappingReader:
    """A bundle as a reader, without writing it anywhere."""
    return MappingReader(dict(files))
