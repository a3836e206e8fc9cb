"""GGUF metadata is read without the library, and a broken file is refused."""

import struct

import pytest

from foundry.core.errors import ProofError
from foundry.models.gguf_header import ARRAY, STRING, texts
from tests.delivery.made_run import write_gguf

MOST = 2**64 - 1


def test_reads_the_texts_the_library_wrote(tmp_path):
    path = tmp_path / "a.gguf"
    write_gguf(path, **{"tokenizer.chat_template": "{{ 訊息 }}"})

    assert texts(path) == {
        "general.architecture": "gemma3",
        "general.name": "shop",
        "tokenizer.chat_template": "{{ 訊息 }}",
    }


def test_every_cut_of_the_header_is_refused(tmp_path):
    whole = tmp_path / "a.gguf"
    write_gguf(whole)
    content, cut = whole.read_bytes(), tmp_path / "cut.gguf"
    end = content.index(b"output_norm")

    for size in range(1, end - 40, 7):
        cut.write_bytes(content[:size])
        with pytest.raises(ProofError, match=r"cut\.gguf: not a GGUF file"):
            texts(cut)


@pytest.mark.parametrize("content", [b"", b"GGML" + b"\0" * 20, b"GGUF\x09" + b"\0" * 20])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.gguf"
    path.write_bytes(content)

    with pytest.raises(ProofError, match="not a GGUF file"):
        texts(path)


def test_lists_nested_without_end_are_refused(tmp_path):
    path = tmp_path / "a.gguf"
    nested = b"\x09\0\0\0\x01\0\0\0\0\0\0\0" * 100_000
    head = b"GGUF\x03\0\0\0" + b"\0" * 8 + b"\x01" + b"\0" * 7
    path.write_bytes(head + b"\x01" + b"\0" * 7 + b"k" + b"\x09\0\0\0" + nested)

    with pytest.raises(ProofError, match="not a GGUF file"):
        texts(path)


def header(kind: int, value: bytes, *, fields: int = 1) -> bytes:
    """A GGUF header that says it has `fields` fields; the first is called `k`."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, fields)
    return head + struct.pack("<Q", 1) + b"k" + struct.pack("<I", kind) + value


@pytest.mark.parametrize(
    "content",
    [
        header(STRING, struct.pack("<Q", MOST)),
        header(ARRAY, struct.pack("<IQ", 10, MOST)),
        header(ARRAY, struct.pack("<IQ", STRING, MOST)),
        header(ARRAY, struct.pack("<IQ", ARRAY, MOST)),
        header(4, b"1234", fields=MOST),
        header(4, b"123"),
    ],
    ids=["text", "numbers", "texts", "lists", "fields", "number cut short"],
)
def test_counts_beyond_the_file_are_refused(tmp_path, content: bytes):
    path = tmp_path / "a.gguf"
    path.write_bytes(content)

    with pytest.raises(ProofError, match="not a GGUF file"):
        texts(path)
