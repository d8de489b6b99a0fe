"""Corpora: every format the same documents, in constant memory, and damage named by file and line."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.data.corpus import (
    HELD_OUT_FRACTION,
    Corpus,
    facts,
    is_held_out,
    open_corpus,
    state,
)
from harness.data.corpus_files import LONGEST_DOCUMENT
from tests.conftest import python_with_hub

ROOT = Path(__file__).parents[3]
COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"

DOCUMENTS = ["One line.", "Two lines,\nthe second one.", 'She said "so", mañana 🙂', "一行字", " indented\n  more"]

Write = Callable[[str, "str | bytes"], Path]


def read(where: object, **options: Any) -> list[str]:
    return list(open_corpus(str(where), **options).documents())


def plain(documents: Sequence[str]) -> bytes:
    return "\n\n".join(documents).encode() + b"\n"


def lines(documents: Sequence[str], field: str = "text") -> bytes:
    return b"".join(json.dumps({"id": 1, field: document}).encode() + b"\n" for document in documents)


def zst(data: bytes) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


def write_parquet(path: Path, columns: dict[str, list[Any]], **options: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def write_as(path: Path, documents: Sequence[str]) -> Path:
    """The documents in the format of the file's name."""
    if path.suffix == ".parquet":
        return write_parquet(path, {"id": [1] * len(documents), "text": list(documents)})
    data = lines(documents) if ".jsonl" in path.name else plain(documents)
    packed = {".gz": gzip.compress, ".zst": zst}.get(path.suffix, bytes)(data)
    path.write_bytes(packed)
    return path


KINDS = [".txt", ".text", ".md", ".TXT", ".jsonl", ".parquet", ".txt.gz", ".jsonl.gz", ".txt.zst", ".jsonl.zst"]


# Formats


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_documents(tmp_path: Path, kind: str) -> None:
    path = write_as(tmp_path / f"corpus{kind}", DOCUMENTS)
    assert read(path) == DOCUMENTS
    assert read(tmp_path) == DOCUMENTS


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_the_field_is_ones_own_and_blank_texts_are_left_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"corpus{kind}"
    if kind == ".parquet":
        write_parquet(path, {"text": [1, 2, 3], "body": ["a", " \n", "b"]})
    else:
        path.write_bytes(b"\n" + lines(["a", " \n", "", "b"], "body"))
    assert read(path, field="body") == ["a", "b"]


def test_parquet_text_may_be_large_or_coded(tmp_path: Path) -> None:
    import pyarrow

    texts = pyarrow.array(["a", "b", "a"])
    for kind in (texts.cast(pyarrow.large_string()), texts.dictionary_encode()):
        assert read(write_parquet(tmp_path / "corpus.parquet", {"text": kind})) == ["a", "b", "a"]


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_packed_files_may_have_several_parts(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"corpus.txt.{'zst' if pack is zst else 'gz'}"
    path.write_bytes(pack(b"one\n\ntw") + pack(b"") + pack(b"o\n\nthree"))
    assert read(path) == ["one", "two", "three"]


def test_zst_as_other_tools_write_it_is_read(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    text = plain([f"document {number} " * 50 for number in range(2000)])
    path = tmp_path / "corpus.txt.zst"
    expected = None
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    for unsized in (False, True):
        compressor = zstandard.ZstdCompressor(write_checksum=True, write_content_size=not unsized)
        path.write_bytes(skippable + compressor.compress(text) + skippable)
        expected = expected or read(path)
        assert read(path) == expected
    assert len(expected or ()) == 2000


# What a document of a text file is


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\nb\n\nc", ["a\nb", "c"]),
        ("\n\n \t\na\n \t \n\n\nb\n\n", ["a", "b"]),
        ("a\r\nb\r\n\r\nc\r\n", ["a\nb", "c"]),
        ("\ufeffa\n\n\ufeffb", ["a", "\ufeffb"]),
        ("a\x0cb\u2028c\x85d\re\n\nf", ["a\x0cb\u2028c\x85d\re", "f"]),
        ("a\n\u3000\u00a0\nb", ["a", "b"]),
        ("a\x00b", ["a\x00b"]),
    ],
    ids=["blank line", "several blank lines", "crlf", "byte order mark", "other separators", "wide blanks", "nul"],
)
def test_blank_lines_separate_documents(write: Write, text: str, documents: list[str]) -> None:
    assert read(write("corpus.txt", text)) == documents


def test_a_long_document_is_cut_at_line_ends(write: Write) -> None:
    line = "é" * 999
    pieces = read(write("corpus.txt", "short\n\n" + f"{line}\n" * 100 + "\nshort"))
    assert pieces == ["short", "\n".join([line] * 65), "\n".join([line] * 35), "short"]


@pytest.mark.parametrize("character", ["a", "é", "字", "🙂"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_long_line_is_cut_hard(write: Write, character: str, end: str) -> None:
    for length in (LONGEST_DOCUMENT - 1, LONGEST_DOCUMENT, LONGEST_DOCUMENT + 1, 9 * LONGEST_DOCUMENT + 7):
        pieces = read(write("corpus.txt", f"before\n{character * length}{end}"))
        whole, rest = divmod(length, LONGEST_DOCUMENT)
        expected = [character * LONGEST_DOCUMENT] * whole + [character * rest] * (rest > 0)
        assert pieces == ["before", *expected]


def test_what_follows_a_long_line_is_a_document_of_its_own(write: Write) -> None:
    line = "a" * LONGEST_DOCUMENT
    assert read(write("corpus.txt", f"{line}\nb\nc\n\nd")) == [line, "b\nc", "d"]
    assert read(write("corpus.txt", f"{line}a\nb\n\nc")) == [line, "a\nb", "c"]


def test_records_are_not_cut(tmp_path: Path) -> None:
    document = "a\n" * LONGEST_DOCUMENT
    for kind in (".jsonl", ".parquet"):
        assert read(write_as(tmp_path / f"corpus{kind}", [document])) == [document]


# Folders


def test_a_folder_is_read_in_the_order_of_its_paths(write: Write, tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a.txt", "a/b/c.jsonl", "B.txt"):
        write(name, lines([name]) if name.endswith("jsonl") else name)
    for name in (".hidden.txt", ".git/x.txt", "a/.cache/y.txt", "LICENSE", "notes.pdf", "x.parquet.gz", "txt"):
        write(name, "not of the corpus")
    assert read(tmp_path) == ["B.txt", "a.txt", "a/b/c.jsonl", "a/z.md", "b.txt"]
    corpus = open_corpus(str(tmp_path))
    assert (corpus.source, corpus.location) == ("files", str(tmp_path))


def test_a_folder_without_a_corpus_names_the_endings(write: Write, tmp_path: Path) -> None:
    write("notes.pdf", "x")
    with pytest.raises(HarnessError, match=r"no file in this folder.*\.parquet and \.txt.*\.jsonl.*\.gz or \.zst"):
        open_corpus(str(tmp_path))


# Embedded


def test_the_embedded_world_is_a_corpus_of_any_size() -> None:
    corpus = open_corpus("synthetic", sentences=500)
    assert corpus.source == "synthetic"
    assert corpus.location.startswith("synthetic world v")
    assert corpus.location.endswith(", 500 sentences")
    assert len(list(corpus.documents())) < len(read("synthetic", sentences=1000))
    assert facts(corpus) == facts(open_corpus("synthetic", sentences=500))


# Facts, fingerprints, states


def test_facts_count_documents_and_bytes(tmp_path: Path) -> None:
    path = write_as(tmp_path / "corpus.txt", DOCUMENTS)
    found = facts(open_corpus(str(path)))
    assert found["source"] == "files"
    assert found["location"] == str(path)
    assert found["documents"] == len(DOCUMENTS)
    assert found["bytes"] == sum(len(document.encode()) for document in DOCUMENTS)
    assert found["held_out"] == sum(map(is_held_out, DOCUMENTS))


def test_the_fingerprint_is_of_the_documents_in_order(tmp_path: Path) -> None:
    def fingerprint(documents: Sequence[str], name: str = "corpus.jsonl") -> object:
        return facts(open_corpus(str(write_as(tmp_path / name, documents))))["fingerprint"]

    same = fingerprint(DOCUMENTS)
    assert same == fingerprint(DOCUMENTS) == fingerprint(DOCUMENTS, "a.parquet") == fingerprint(DOCUMENTS, "a.txt.gz")
    others = [
        DOCUMENTS[::-1],
        DOCUMENTS[:-1],
        [*DOCUMENTS, "more"],
        [DOCUMENTS[0] + " ", *DOCUMENTS[1:]],
        [DOCUMENTS[0] + DOCUMENTS[1], *DOCUMENTS[2:]],
        [DOCUMENTS[0] + DOCUMENTS[1][0], DOCUMENTS[1][1:], *DOCUMENTS[2:]],
        [DOCUMENTS[0] + "\0" + DOCUMENTS[1], *DOCUMENTS[2:]],
    ]
    assert len({same, *map(fingerprint, others)}) == 1 + len(others)


def test_a_pass_can_be_repeated_and_a_corpus_sent_to_another_process(tmp_path: Path) -> None:
    for where in (str(write_as(tmp_path / "corpus.txt", DOCUMENTS)), "synthetic"):
        corpus = open_corpus(where, sentences=100)
        sent: Corpus = pickle.loads(pickle.dumps(corpus))
        assert list(corpus.documents()) == list(corpus.documents()) == list(sent.documents())
        assert state(sent) == state(corpus)


def test_the_state_changes_with_what_is_read(write: Write, tmp_path: Path) -> None:
    path = write("corpus/a.jsonl", lines(["a"]))
    folder = str(path.parent)
    seen = [state(open_corpus(folder))]
    assert state(open_corpus(folder)) == seen[0] != ""

    def changed(found: str) -> None:
        assert found not in seen
        seen.append(found)

    changed(state(open_corpus(folder, field="body")))
    before = path.stat()
    path.write_bytes(lines(["b"]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    changed(state(open_corpus(folder)))
    path.write_bytes(lines(["longer"]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed(state(open_corpus(folder)))
    write("corpus/b.txt", "b")
    changed(state(open_corpus(folder)))
    path.rename(path.with_name("c.jsonl"))
    changed(state(open_corpus(folder)))
    changed(state(open_corpus("synthetic")))
    changed(state(open_corpus("synthetic", sentences=10)))


def test_a_file_that_has_gone_is_named(write: Write) -> None:
    path = write("corpus.txt", "a")
    corpus = open_corpus(str(path))
    path.unlink()
    for look in (state, facts):
        with pytest.raises(HarnessError, match=r"cannot read .*corpus\.txt: No such file"):
            look(corpus)


def test_about_one_document_in_twenty_is_held_out() -> None:
    documents = [f"document number {number}" for number in range(20_000)]
    fraction = sum(map(is_held_out, documents)) / len(documents)
    assert fraction == pytest.approx(HELD_OUT_FRACTION, abs=0.005)
    assert [is_held_out(document) for document in documents] == [is_held_out(document[:]) for document in documents]


def test_the_side_of_a_document_never_changes() -> None:
    held_out = [number for number in range(60) if is_held_out(f"document number {number}")]
    assert held_out == [0, 45, 56]


# Errors


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("sythetic", " Did you mean 'synthetic'?"),
        ("nowhere/at/all.txt", ""),
        ("", ""),
        ("~nobody-here/x", ""),
    ],
)
def test_a_path_that_does_not_exist_is_one_line(where: str, hint: str) -> None:
    with pytest.raises(HarnessError) as caught:
        open_corpus(where)
    message = str(caught.value)
    shown = where or "''"
    assert message == f"no such file or folder: {shown}; --corpus takes synthetic, hub:ID, a file or a folder.{hint}"


@pytest.mark.parametrize("name", ["corpus.pdf", "corpus", "corpus.gz", "corpus.parquet.gz", "corpus.txt.bz2"])
def test_another_kind_of_file_names_the_endings(write: Write, name: str) -> None:
    with pytest.raises(HarnessError, match=r"are not read as a corpus; it takes \.parquet and \.txt"):
        open_corpus(str(write(name, "a")))


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_a_corpus_without_documents_is_an_error(write: Write, content: str) -> None:
    with pytest.raises(HarnessError, match=r"corpus\.txt: there is no document in it"):
        facts(open_corpus(str(write("corpus.txt", content))))


FILE_ERRORS: list[tuple[str, str | bytes, str]] = [
    ("a.txt", b"fine\n\nna\xefve\n", r"a\.txt:3: not UTF-8 \(byte 0xef at offset 8\); convert the file to UTF-8"),
    ("a.txt", b"x" * 300_000 + b"\n\xff", r"a\.txt:2: not UTF-8 \(byte 0xff at offset 300001\)"),
    ("a.txt", b"cut \xe4\xb8", r"a\.txt:1: not UTF-8 \(byte 0xe4 at offset 4\)"),
    ("a.txt", b"x" * 262_143 + b"\xc3(", r"a\.txt:1: not UTF-8 \(byte 0xc3 at offset 262143\)"),
    ("a.txt", "UTF-16".encode("utf-16"), r"a\.txt:1: not UTF-8 \(byte 0xff at offset 0\)"),
    ("a.jsonl", b'{"text": "\xff"}\n', r"a\.jsonl:1: not UTF-8"),
    ("a.jsonl", '{"text": "a"}\n\n{"text": "b\n', r"a\.jsonl:3: not JSON"),
    ("a.jsonl", '{"text": "a"}\n["text"]\n', r"a\.jsonl:2: expected an object, found list"),
    ("a.jsonl", "[" * 200_000, r"a\.jsonl:1: not JSON"),
    ("a.jsonl", '{"id": 1, "Text": "a"}', r"a\.jsonl:1: no field 'text'; found: id, Text\. Did you mean 'Text'\?$"),
    ("a.jsonl", '{"id": 1, "body": "a"}', r"a\.jsonl:1: no field 'text'; found: id, body\.$"),
    ("a.jsonl", '{"text": null}', r"a\.jsonl:1: field 'text' holds NoneType, not text"),
    ("a.jsonl", '{"text": ["a"]}', r"a\.jsonl:1: field 'text' holds list, not text"),
    ("a.jsonl", r'{"text": "half \ud83d"}', r"a\.jsonl:1: field 'text' has half a surrogate pair \(\\ud83d\)"),
    ("a.txt.gz", "no gzip", r"a\.txt\.gz: damaged, or not what its name says"),
    ("a.txt.gz", "", r"a\.txt\.gz: the file is cut off"),
    ("a.txt.gz", gzip.compress(plain(DOCUMENTS), mtime=0)[:-9], r"a\.txt\.gz: the file is cut off; fetch it again"),
    ("a.txt.gz", gzip.compress(plain(DOCUMENTS), mtime=0)[:-8] + bytes(8), r"a\.txt\.gz: damaged.*CRC"),
    ("a.txt.gz", gzip.compress(b"fine\n\xff", mtime=0), r"a\.txt\.gz:2: not UTF-8 \(byte 0xff at offset 5\)"),
    ("a.parquet", "no parquet", r"a\.parquet: damaged, or not what its name says"),
    ("a.parquet", "", r"a\.parquet: damaged, or not what its name says"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILE_ERRORS)
def test_a_bad_file_is_one_line_with_its_place(write: Write, name: str, content: str | bytes, message: str) -> None:
    corpus = open_corpus(str(write(name, content)))
    with pytest.raises(HarnessError, match=message) as caught:
        list(corpus.documents())
    assert "\n" not in str(caught.value)


def test_damaged_zst_is_named(write: Write) -> None:
    packed = zst(os.urandom(5_000).hex().encode())
    for content, message in [
        (b"no zst", "damaged, or not what its name says"),
        (b"", "the file is cut off"),
        (packed[:3], "the file is cut off"),
        (packed[:-1], "the file is cut off"),
        (packed[: len(packed) // 2], "the file is cut off"),
        (packed + b"more", "damaged, or not what its name says"),
        (packed + packed[:-1], "the file is cut off"),
    ]:
        corpus = open_corpus(str(write("a.txt.zst", content)))
        with pytest.raises(HarnessError, match=rf"a\.txt\.zst: {message}"):
            list(corpus.documents())


def test_zst_without_its_package_says_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    write("corpus/a.txt", "a")
    path = write("corpus/b.txt.zst", "a")
    for where in (path, path.parent):
        with pytest.raises(HarnessError, match=r"b\.txt\.zst: .*; pip install 'nlp-harness\[zst\]'"):
            open_corpus(str(where))


def test_a_parquet_file_without_the_field_names_its_columns(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"id": [1], "texts": ["a"]})
    with pytest.raises(HarnessError, match=r"a\.parquet: no field 'text'; found: id, texts\. Did you mean 'texts'\?"):
        read(path)


@pytest.mark.parametrize(("value", "kind"), [(1, "int"), (None, "NoneType"), (b"a", "bytes"), (["a"], "list")])
def test_a_parquet_column_of_something_else_is_an_error(tmp_path: Path, value: object, kind: str) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"text": [value]})
    with pytest.raises(HarnessError, match=rf"a\.parquet \(row 1\): field 'text' holds {kind}, not text"):
        read(path)


def test_a_parquet_file_damaged_inside_is_named(tmp_path: Path) -> None:
    path = write_as(tmp_path / "a.parquet", [f"document {number}" for number in range(5000)])
    data = bytearray(path.read_bytes())
    for content in (data[: len(data) // 2], data[:100] + bytes(2000) + data[2100:]):
        path.write_bytes(content)
        with pytest.raises(HarnessError, match=r"a\.parquet: damaged"):
            read(path)


# The hub


@pytest.mark.parametrize("where", ["hub:", "hub::config", "hub:@main"])
def test_a_hub_corpus_needs_an_id(where: str) -> None:
    with pytest.raises(HarnessError, match="needs the id of a dataset"):
        open_corpus(where)


def test_without_the_hub_the_other_sources_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(HarnessError) as caught:
        open_corpus("hub:Salesforce/wikitext:wikitext-2-raw-v1")
    assert str(caught.value) == (
        "the Hugging Face hub cannot be reached (HF_HUB_OFFLINE is set); use --corpus synthetic or --corpus FILE|FOLDER"
    )


LOOK = """
import json, sys
from harness.data.corpus import facts, open_corpus, state
from harness.core.errors import HarnessError
try:
    corpus = open_corpus(sys.argv[1], field=sys.argv[2])
    answer = {"texts": list(corpus.documents()), "state": state(corpus), **facts(corpus)}
except HarnessError as error:
    answer = {"error": str(error)}
print(json.dumps(answer))
"""


@pytest.mark.slow
def test_a_corpus_is_streamed_from_a_hub(hub_mirror: Callable[..., Any], tmp_path: Path) -> None:
    card = b"---\nconfigs:\n- config_name: news\n  data_files: news/*.jsonl\n- config_name: rest\n  data_files: rest.jsonl\n---\n"
    files = {"README.md": card, "news/a.jsonl": lines(DOCUMENTS), "news/b.jsonl": lines([" ", "b"]), "rest.jsonl": b""}
    mirror = hub_mirror("some/corpus", COMMIT, files)
    # A folder of the dataset's name in the working directory must not be taken for it.
    (tmp_path / "some" / "corpus").mkdir(parents=True)
    (tmp_path / "some" / "corpus" / "train.jsonl").write_bytes(lines(["wrong"]))

    def look(where: str, field: str = "text") -> dict[str, Any]:
        return python_with_hub(LOOK, where, field, endpoint=mirror.url, folder=tmp_path)

    unpinned = look("hub:some/corpus:news")
    assert unpinned.get("error") is None
    assert unpinned["texts"] == [*DOCUMENTS, "b"]
    assert unpinned["location"] == f"hub some/corpus:news@{COMMIT}"
    assert unpinned["state"] == ""
    pinned = look(f"hub:some/corpus:news@{COMMIT}")
    assert pinned["fingerprint"] == unpinned["fingerprint"]
    assert pinned["state"] != ""

    errors = {
        "field": look("hub:some/corpus:news", "body")["error"],
        "config": look("hub:some/corpus:sport")["error"],
        "no config": look("hub:some/corpus")["error"],
        "dataset": look("hub:some/other")["error"],
        "revision": look(f"hub:some/corpus:news@{'f' * 40}")["error"],
    }
    assert "(row 1): no field 'body'; found: id, text." in errors["field"]
    assert "sport" in errors["config"]
    assert "news" in errors["no config"]
    assert "some/other" in errors["dataset"]
    assert "evision" in errors["revision"]
    assert not any("\n" in error for error in errors.values())


# Size


PEAK = """
import sys
from harness.data.corpus import facts, open_corpus
found = facts(open_corpus(sys.argv[1]))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(found["documents"], found["bytes"], peak.split()[1])
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


def peak_mb(path: Path) -> float:
    """The most memory that a fresh process has held after a pass over the file, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    documents, _, peak = map(int, done.stdout.split())
    assert documents > 0
    return peak / 1024


def paragraphs(megabytes: float) -> Iterator[str]:
    """Different paragraphs of some 100 characters to 4 kB."""
    size, number = 0, 0
    while size < megabytes * 1e6:
        number += 1
        paragraph = f"Paragraph {number} tells the story of {number * 7919 % 10007}. " * (2 + number % 100)
        size += len(paragraph)
        yield paragraph


def write_many(folder: Path, megabytes: float, kind: str) -> Path:
    """`paragraphs` as `kind`: an ending, for text files after the layout."""
    layout, _, ending = kind.rpartition(" ")
    path = folder / f"{megabytes}{ending}"
    if ending == ".parquet":
        # One row group, which is what small tools write.
        return write_parquet(path, {"text": list(paragraphs(megabytes))}, row_group_size=1 << 30)
    if ending == ".jsonl":
        records = (lines([paragraph]) for paragraph in paragraphs(megabytes))
    else:
        separator = {"one line": " ", "one paragraph": "\n"}.get(layout, "\n\n")
        records = (f"{paragraph}{separator}".encode() for paragraph in paragraphs(megabytes))
    openers: dict[str, Callable[[Path], Any]] = {
        ".txt.gz": partial(gzip.open, mode="wb", compresslevel=1),
        ".txt.zst": lambda path: pytest.importorskip("zstandard").open(path, "wb"),
    }
    with openers.get(ending, lambda path: path.open("wb"))(path) as file:
        for record in records:
            file.write(record)
    return path


@needs_proc
@pytest.mark.parametrize(
    "kind", [".txt", "one line .txt", "one paragraph .txt", ".txt.gz", ".txt.zst", ".jsonl", ".parquet"]
)
def test_a_larger_corpus_takes_no_more_memory(tmp_path: Path, kind: str) -> None:
    small, large = (peak_mb(write_many(tmp_path, megabytes, kind)) for megabytes in (1, 64))
    assert large - small < 30


@needs_proc
def test_text_that_packs_well_takes_no_more_memory(tmp_path: Path) -> None:
    small, large = tmp_path / "small.txt.zst", tmp_path / "large.txt.zst"
    block = ("the same line again and again\n" * 30 + "\n").encode()
    small.write_bytes(zst(block))
    large.write_bytes(zst(block * (64_000_000 // len(block))))
    assert peak_mb(large) - peak_mb(small) < 30


@needs_proc
@pytest.mark.slow
def test_a_gigabyte_takes_no_more_memory_than_a_megabyte(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 3e9:
        pytest.skip("needs 3 GB of free disk")
    small = write_many(tmp_path, 1, ".txt")
    block = write_many(tmp_path, 4, ".txt").read_bytes()
    large = tmp_path / "large.txt"
    try:
        with large.open("wb") as file:
            while file.tell() < 1e9:
                file.write(block)
        assert peak_mb(large) - peak_mb(small) < 30
    finally:
        large.unlink(missing_ok=True)


# Real text


def test_real_text_is_read_by_paragraph(real_data: Path) -> None:
    path = real_data / "wikitext-2" / "valid.txt"
    documents = read(path)
    text = path.read_text(encoding="utf-8")
    runs = groupby(text.split("\n"), key=lambda line: bool(line.strip()))
    assert documents == ["\n".join(run) for is_text, run in runs if is_text]
    assert documents[0] == " = Homarus gammarus = "
    found = facts(open_corpus(str(path)))
    assert found["held_out"] / found["documents"] == pytest.approx(HELD_OUT_FRACTION, abs=0.02)
