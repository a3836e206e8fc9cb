"""A file is read by the kind its suffix names; what is not there is told with what is."""

import pytest

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import DataError, ResourceError
from foundry.data.reading import read
from foundry.data.sources import csv


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "csv"), ("a.CSV", "csv"), ("a.json", "json"), ("a.jsonl", "jsonl")],
)
def test_suffix_names_the_kind(file, name, kind):
    assert read(file(name, "{}")).kind == kind


def test_kind_that_is_given_is_used(file):
    reading = read(file("rows.txt", "q,a\n問,答\n"), Block(kind="csv", spec=csv.Spec()))

    assert [item.values for item in reading.items] == [{"q": "問", "a": "答"}]


def test_unknown_suffix_lists_the_kinds(file):
    with pytest.raises(DataError) as error:
        read(file("rows.txt", "q,a\n"))

    assert "csv, json, jsonl" in (error.value.problems[0].fix or "")


def test_no_two_kinds_share_a_suffix():
    suffixes = [
        s for kind in plugins.names("source") for s in plugins.load("source", kind).SUFFIXES
    ]

    assert len(suffixes) >= 5
    assert len(suffixes) == len(set(suffixes))


def test_missing_file_names_the_nearest(file):
    path = file("train.csv", "q,a\n")

    with pytest.raises(ResourceError) as error:
        read(path.with_name("trian.csv"))

    assert str(path) in (error.value.problems[0].fix or "")


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ResourceError, match=r"the folder .*nowhere does not exist"):
        read(tmp_path / "nowhere" / "train.csv")


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(ResourceError, match="is a folder"):
        read(tmp_path)
