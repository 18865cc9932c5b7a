"""A file as bytes: its fingerprint, its encoding, its limits, and its text in blocks of whole lines."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, cast

from sereno.domain.errors import (
    CorruptFile,
    EmptyFile,
    FileMissing,
    FileTooLarge,
    FileUnreadable,
)
from sereno.ingest.garbled import count_garbled, repaired
from sereno.ingest.options import BYTES_PER_MIB, ReadOptions

__all__ = ["SourceFile", "TextBlock", "TruncatedFile", "content_sha256", "examine", "opened", "text_blocks"]

BLOCK_BYTES = 8 * BYTES_PER_MIB
PROBE_BYTES = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
BOM = "\ufeff"
# A UTF-16 file of Western text is almost half NUL bytes, all on the same side of each pair.
UTF16_NUL_SHARE = 0.3
# Bytes that no text has; of a picture, a program or a damaged container they are a tenth.
CONTROL_BYTES = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1a\x1b"))
CONTROL_SHARE = 0.05
# A file packed more often than this was not packed to save space.
MAX_GZIP_LAYERS = 4
# A UTF-8 file may hold a few damaged bytes; below this ratio of good to bad sequences it is not UTF-8.
UTF8_GOOD_PER_BAD = 10
# Bytes that Windows-1252 leaves undefined.
CP1252_HOLES = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
C1_BYTES = bytes(range(0x80, 0xA0))


class TruncatedFile(CorruptFile):
    """A compressed file that ends before its content does."""

    code: ClassVar[str] = "read.truncated"
    template: ClassVar[str] = (
        "'{file}' ends before its content is complete: {detail}. Nothing was used. Copy or download it again."
    )


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What the bytes of a file say.

    Attributes:
        path: Where it is.
        sha256: Of the bytes as stored, compressed or not.
        encoding: Python name of the text encoding.
        is_gzip: The content is compressed.
        has_damaged_bytes: A few bytes do not fit the encoding and are read as U+FFFD.
        is_cr_only: Lines end in a bare carriage return.
        expanded_bytes: Size of the content after decompression.
        n_lines: Lines at most, whatever they hold.
        n_garbled: Characters that were encoded twice and are repaired.
    """

    path: Path
    sha256: str
    encoding: str
    is_gzip: bool
    has_damaged_bytes: bool
    is_cr_only: bool
    expanded_bytes: int
    n_lines: int
    n_garbled: int = 0


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole lines as UTF-8; the last byte is a newline.

    Attributes:
        data: The bytes.
        first_line: 1-based number of its first line in the file.
    """

    data: bytes
    first_line: int


def content_sha256(path: Path) -> str:
    """SHA-256 of the file's bytes as stored, in hexadecimal.

    Raises:
        FileMissing: There is no such file.
        FileUnreadable: The operating system refuses.
    """
    digest = hashlib.sha256()
    with opened(path) as file:
        while chunk := file.read(BLOCK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def examine(path: Path, options: ReadOptions) -> SourceFile:
    """What the bytes say, from one pass over all of them in bounded memory.

    Raises:
        EmptyFile: There is nothing but blanks.
        TruncatedFile: The compressed stream ends too early.
        CorruptFile: The content is not what its name or its first bytes say.
        FileTooLarge: The content or one line exceeds its limit.
        FileMissing: There is no such file.
        FileUnreadable: The operating system refuses.
    """
    with opened(path) as file:
        head = file.read(PROBE_BYTES)
    if not head:
        raise EmptyFile(file=path.name)
    is_gzip = head.startswith(GZIP_MAGIC)
    sha256 = content_sha256(path)
    census = _Census(path, options)
    with _expanded(path, is_gzip=is_gzip) as file:
        while chunk := file.read(BLOCK_BYTES):
            census.add(chunk)
    if census.is_blank:
        raise EmptyFile(file=path.name)
    return SourceFile(
        path=path,
        sha256=sha256,
        encoding=census.encoding(),
        is_gzip=is_gzip,
        has_damaged_bytes=census.has_damaged_bytes,
        is_cr_only=census.is_cr_only,
        expanded_bytes=census.n_bytes,
        n_lines=census.n_lines,
        n_garbled=census.n_garbled if census.encoding() == "utf-8" else 0,
    )


def text_blocks(source: SourceFile) -> Iterator[TextBlock]:
    """The text in blocks of whole lines, as UTF-8 without byte order mark."""
    rest, line = b"", 1
    for chunk in _utf8_chunks(source):
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            continue
        data = rest + chunk[:cut]
        rest = chunk[cut:]
        yield TextBlock(repaired(data) if source.n_garbled else data, line)
        line += data.count(b"\n")
    if rest:
        yield TextBlock(repaired(rest + b"\n") if source.n_garbled else rest + b"\n", line)


def _utf8_chunks(source: SourceFile) -> Iterator[bytes]:
    is_plain = source.encoding == "utf-8" and not source.has_damaged_bytes and not source.is_cr_only
    decoder = codecs.getincrementaldecoder(source.encoding)(errors="replace")
    is_first = True
    with _expanded(source.path, is_gzip=source.is_gzip) as file:
        while chunk := file.read(BLOCK_BYTES):
            if not is_plain:
                text = decoder.decode(chunk)
                chunk = (text.replace("\r", "\n") if source.is_cr_only else text).encode("utf-8", "replace")
            if is_first:
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
                is_first = False
            yield chunk
    if not is_plain and (tail := decoder.decode(b"", final=True)):
        yield tail.encode("utf-8", "replace")


class _Census:
    """Running facts about the expanded bytes of one file."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._options = options
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._bom_encoding: str | None = None
        self._n_good_extra = 0
        self._n_bad = 0
        self._n_nul_even = self._n_nul_odd = 0
        self._has_c1 = self._has_holes = False
        self._n_newlines = self._n_returns = 0
        self._line_bytes = 0
        self.n_bytes = 0
        self.n_garbled = 0
        self.is_blank = True

    def add(self, chunk: bytes) -> None:
        if not self.n_bytes:
            self._probe(chunk)
        self.n_bytes += len(chunk)
        limit = self._options.max_expanded_bytes
        if self.n_bytes > limit:
            raise FileTooLarge(file=self._path.name, detail=f"> {limit // BYTES_PER_MIB} MiB")
        self._check_line_length(chunk)
        if self.is_blank and chunk.strip(b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"):
            self.is_blank = False
        if self._bom_encoding not in (None, "utf-8"):
            return
        if not (chunk.isascii() and self._decoder.getstate()[0] == b""):
            self._add_non_ascii(chunk)

    @property
    def has_damaged_bytes(self) -> bool:
        return self.encoding() == "utf-8" and self._n_bad > 0

    @property
    def is_cr_only(self) -> bool:
        return self._n_newlines == 0 and self._n_returns > 0

    @property
    def n_lines(self) -> int:
        """No less than there are: an unfinished last line counts."""
        return (self._n_newlines or self._n_returns) + 1

    def encoding(self) -> str:
        if self._bom_encoding:
            return self._bom_encoding
        if self._n_bad == 0 or self._n_good_extra > UTF8_GOOD_PER_BAD * self._n_bad:
            return "utf-8"
        if self._has_holes:
            return "latin-1"
        return "cp1252" if self._has_c1 else "latin-1"

    def _probe(self, chunk: bytes) -> None:
        for mark, encoding in BOMS:
            if chunk.startswith(mark):
                self._bom_encoding = encoding
                return
        probe = chunk[:PROBE_BYTES]
        if not probe:
            return
        n_even, n_odd = probe[::2].count(0), probe[1::2].count(0)
        if max(n_even, n_odd) > UTF16_NUL_SHARE * len(probe):
            self._bom_encoding = "utf-16-le" if n_odd > n_even else "utf-16-be"
        elif len(probe) - len(probe.translate(None, CONTROL_BYTES)) > CONTROL_SHARE * len(probe):
            raise CorruptFile(file=self._path.name, detail="binary")

    def _check_line_length(self, chunk: bytes) -> None:
        self._n_newlines += chunk.count(b"\n")
        self._n_returns += chunk.count(b"\r")
        mark = b"\r" if self.is_cr_only else b"\n"
        limit = self._options.max_line_bytes
        self._line_bytes += chunk.find(mark) + 1 or len(chunk)
        if self._line_bytes > limit or self._has_long_line(chunk, mark, limit):
            raise FileTooLarge(file=self._path.name, detail=f"1 line > {limit // 1024} KiB")
        last = chunk.rfind(mark)
        if last >= 0:
            self._line_bytes = len(chunk) - last - 1

    @staticmethod
    def _has_long_line(chunk: bytes, mark: bytes, limit: int) -> bool:
        start = 0
        while len(chunk) - start > limit:
            last = chunk.rfind(mark, start, start + limit + 1)
            if last < 0:
                return True
            start = last + 1
        return False

    def _add_non_ascii(self, chunk: bytes) -> None:
        self.n_garbled += count_garbled(chunk)
        text = self._decoder.decode(chunk)
        n_bad = text.count("\ufffd")
        self._n_bad += n_bad
        self._n_good_extra += max(0, len(chunk) - len(text))
        if n_bad:
            self._has_c1 |= len(chunk.translate(None, C1_BYTES)) < len(chunk)
            self._has_holes |= len(chunk.translate(None, CP1252_HOLES)) < len(chunk)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file for reading bytes; what the system refuses is a named error."""
    try:
        if path.is_dir():
            raise FileUnreadable(file=str(path), detail="it is a folder")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise FileMissing(file=str(path)) from error
    except OSError as error:
        raise FileUnreadable(file=str(path), detail=error.strerror or str(error)) from error


@contextmanager
def _expanded(path: Path, *, is_gzip: bool) -> Iterator[IO[bytes]]:
    if not is_gzip:
        with opened(path) as file:
            yield file
        return
    try:
        with opened(path) as raw:
            yield _unpacked(raw, path.name)
    except EOFError as error:
        raise TruncatedFile(file=path.name, detail="gzip") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise CorruptFile(file=path.name, detail=str(error)) from error


def _unpacked(raw: IO[bytes], name: str) -> IO[bytes]:
    """The content of a gzip file, or of the gzip file that it holds."""
    for _ in range(MAX_GZIP_LAYERS):
        file = gzip.GzipFile(fileobj=raw, mode="rb")
        if not file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            return cast(IO[bytes], file)
        raw = cast(IO[bytes], file)
    raise FileTooLarge(file=name, detail=f"gzip × {MAX_GZIP_LAYERS + 1}")
