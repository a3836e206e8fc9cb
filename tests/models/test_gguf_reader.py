"""Our reader of GGUF files finds what the package's own finds, of every type of list."""

from pathlib import Path

import gguf
import pytest

from foundry.models import gguf_reader
from foundry.models.gguf_reader import Reader, lists_read_at_once

FIELDS = {
    "a.texts": ["一", "", "three"],
    "a.numbers": [1, -2, 3],
    "a.scores": [0.5, -1.25],
    "a.flags": [True, False],
    "a.text": "alone",
    "a.number": 7,
}


@pytest.fixture(params=list(gguf.GGUFEndian), ids=lambda one: one.name.lower())
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(made, "llama", endianess=request.param)
    for key, value in FIELDS.items():
        if isinstance(value, list) and value:
            writer.add_array(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made


def as_the_package_reads(reader: gguf.GGUFReader) -> dict:
    """Each field as `contents`, and as transformers takes it: part by part."""
    return {
        key: (field.contents(), field.types, [bytes(field.parts[n]) for n in field.data])
        for key, field in reader.fields.items()
    }


def test_it_reads_what_the_package_reads(path: Path):
    found = as_the_package_reads(Reader(path))

    assert found == as_the_package_reads(gguf.GGUFReader(path))
    assert found["a.texts"][0] == FIELDS["a.texts"]


def test_libraries_get_it_for_a_while(path: Path):
    before = gguf.GGUFReader

    with lists_read_at_once():
        assert gguf.GGUFReader is gguf_reader.Reader
    assert gguf.GGUFReader is before
