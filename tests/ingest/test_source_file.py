"""Bytes, limits and refusals."""

import dataclasses
import gzip
import os
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.errors import (
    CorruptFile,
    EmptyFile,
    FileMissing,
    FileTooLarge,
    FileUnreadable,
    UnsupportedFormat,
)
from sereno.ingest import FileReport, TruncatedFile, content_sha256, inspect_file
from sereno.ingest.garbled import count_garbled, repaired
from tests.ingest.builders import MADRID, hours, profiles, read, solar_lines, solar_text, write, write_gzip


def test_compressed_file_reads_like_the_plain_one(tmp_path):
    text = solar_text(solar_lines(200))
    _, _, plain = read(write(tmp_path, text))
    _, _, packed = read(write_gzip(tmp_path, text.encode()))
    assert packed[-1].readings.values.tolist() == plain[-1].readings.values.tolist()


@pytest.mark.parametrize("content", [b"", b"\r\n \r\n", b"\xef\xbb\xbf", b"\xff\xfe\r\x00\n\x00"])
def test_file_without_content_is_empty(tmp_path, content):
    path = tmp_path / "vacio.csv"
    path.write_bytes(content)
    with pytest.raises(EmptyFile):
        inspect_file(path, profiles(), MADRID)


def test_cut_gzip_is_truncated_and_gives_nothing(tmp_path):
    data = gzip.compress(solar_text(solar_lines(500)).encode())
    path = tmp_path / "cortado.csv.gz"
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(TruncatedFile) as caught:
        inspect_file(path, profiles(), MADRID)
    entry = FileReport.refused(path, caught.value).to_json()
    assert entry["verdict"] == "refused"
    assert entry["issues"] == [{"code": "read.truncated", "where": "cortado.csv.gz", "count": 1}]


def test_file_compressed_twice_is_read(tmp_path):
    text = solar_text(solar_lines(100)).encode()
    _, report, _ = read(write_gzip(tmp_path, gzip.compress(text)))
    assert report.totals.records_good == 100


def test_file_compressed_without_end_is_too_large(tmp_path):
    data = solar_text(solar_lines(100)).encode()
    for _ in range(5):
        data = gzip.compress(data)
    path = tmp_path / "muñecas.csv.gz"
    path.write_bytes(data)
    with pytest.raises(FileTooLarge) as caught:
        inspect_file(path, profiles(), MADRID)
    assert caught.value.facts["detail"] == "gzip × 5"


@pytest.mark.parametrize("name", ["ruido.csv", "ruido.xls", "ruido.txt"])
def test_noise_is_corrupt_whatever_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(random.Random(name).randbytes(4000))
    with pytest.raises(CorruptFile):
        inspect_file(path, profiles(), MADRID)


def test_damaged_gzip_is_corrupt(tmp_path):
    data = bytearray(gzip.compress(solar_text(solar_lines(500)).encode()))
    data[200:260] = bytes(60)
    path = tmp_path / "roto.csv.gz"
    path.write_bytes(data)
    with pytest.raises(CorruptFile):
        inspect_file(path, profiles(), MADRID)


def test_endless_line_stops_at_the_limit(tmp_path):
    path = write_gzip(tmp_path, b"a;b\n" + b"x" * 3_000_000)
    with pytest.raises(FileTooLarge):
        inspect_file(path, profiles(), MADRID)


def test_expanded_size_stops_at_the_limit(tmp_path):
    path = write_gzip(tmp_path, solar_text(solar_lines(5000)).encode())
    with pytest.raises(FileTooLarge):
        inspect_file(path, profiles(), dataclasses.replace(MADRID, max_expanded_bytes=100_000))


def test_binary_and_containers_are_named(tmp_path):
    cut = tmp_path / "cortado.xlsx"
    cut.write_bytes(b"PK\x03\x04" + b"garbage" * 50)
    with pytest.raises(CorruptFile):
        inspect_file(cut, profiles(), MADRID)
    whole = tmp_path / "libro.xlsx"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.xml", "x")
    with pytest.raises(UnsupportedFormat):
        inspect_file(whole, profiles(), MADRID)
    noise = tmp_path / "ruido.csv"
    noise.write_bytes(bytes(range(256)) * 10 + b"\0" * 2000)
    with pytest.raises(CorruptFile):
        inspect_file(noise, profiles(), MADRID)


def test_missing_and_forbidden_files_are_named(tmp_path):
    with pytest.raises(FileMissing):
        inspect_file(tmp_path / "nada.csv", profiles(), MADRID)
    with pytest.raises(FileUnreadable):
        inspect_file(tmp_path, profiles(), MADRID)
    path = write(tmp_path, solar_text(solar_lines(3)))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads files without permission")
    with pytest.raises(FileUnreadable):
        inspect_file(path, profiles(), MADRID)


def test_a_few_damaged_bytes_do_not_change_the_encoding(tmp_path):
    data = solar_text(solar_lines(300, site="PEÑA ÁLAMO")).encode()
    path = tmp_path / "datos.csv"
    path.write_bytes(data + b"basura \xff\xfe\r\n")
    _, report, batches = read(path)
    assert report.tables[0].encoding == "utf-8"
    assert [a.site for a in batches[-1].readings.assets] == ["PEÑA ÁLAMO"]


def test_bare_carriage_returns_end_lines(tmp_path):
    _, report, _ = read(write(tmp_path, solar_text(solar_lines(30), end="\r")))
    assert report.totals.records_good == 30


def test_content_hash_is_of_the_bytes(tmp_path):
    path = Path(write(tmp_path, "abc"))
    assert content_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    text = write(tmp_path, solar_text(solar_lines(5)))
    assert inspect_file(text, profiles(), MADRID).sha256 == content_sha256(text)


@given(st.text(alphabet="áéíóúñÁÉÍÓÚÑüÜçº°³µ€ abcXYZ;,.(12)\n"))
def test_text_that_was_encoded_twice_is_read_as_it_was_meant(text):
    twice = "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in text.encode())
    meant = [c for c in text if 0x80 <= ord(c) < 0x100]
    assert count_garbled(twice.encode()) == len(meant)
    if "€" not in text:
        assert repaired(twice.encode()).decode() == text


@pytest.mark.parametrize("text", ["AÇÃO", "MANHÃ", "Ângulo", "Presión (°C) m³", "ÂNGULO À"])
def test_text_that_was_encoded_once_stays(text):
    assert count_garbled(text.encode()) == 0


def test_columns_of_a_file_that_was_encoded_twice_are_recognised_and_reported(tmp_path):
    header = "Fecha;Presión (bar);Temperatura (°C);Volumen (m³)"
    lines = [f"{stamp};16,5;20,25;{7 * i % 30},5" for i, stamp in enumerate(hours(30))]
    text = "\n".join([header, *lines, ""])
    path = write(tmp_path, text.encode().decode("cp1252"), name="CALDERA.csv")
    plan, report, _ = read(path, MADRID)
    assert [c.source for c in plan.tables[0].columns] == header.split(";")
    assert [c.signal for c in plan.tables[0].columns] == ["", "pressure", "temperature", "volume"]
    assert {(i.code, i.where, i.count) for i in report.issues} == {("read.garbled_text", "CALDERA.csv", 3)}
    assert report.verdict == "ok"
    assert report.totals.records_good == 30
