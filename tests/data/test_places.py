"""What a written path stands for: nothing is read that is not named, nothing left out silently."""

import os
from pathlib import Path

import pytest

from foundry.core.errors import DataError, RecipeError, ResourceError
from foundry.core.load import load_recipe
from foundry.core.recipe import Source
from foundry.data import places
from foundry.data.notices import not_read
from foundry.data.places import expand, require_inputs
from tests.cases import case, change
from tests.conftest import NetworkBlocked
from tests.core.conftest import GOOD
from tests.data.conftest import DECLARATION
from tests.data.packing import tar_of, zip_of

TABLE = "question,answer\n問{n},答\n"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def tree(tmp_path):
    """A folder `data` with files of every kind that a folder may have."""
    files = {
        "b.csv": TABLE.format(n=1),
        "sub/a.jsonl": '{"question": "問2", "answer": "答"}\n',
        "sub/deep/c.tsv": "question\tanswer\n問3\t答\n",
        "table.data": TABLE.format(n=4),
        "README.md": "# What this is\n\nText, and more text.\n",
        "notes.rst": "Notes\n=====\n",
        ".DS_Store": "x",
        "~$b.xlsx": "x",
        "Thumbs.db": "x",
        ".git/objects/d.csv": TABLE.format(n=5),
    }
    for name, text in files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "data" / "sub")
    (tmp_path / "data" / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    return tmp_path


def names(place):
    return [found.name for found in place.files]


def reasons(place):
    return {skipped.path: skipped.reason for skipped in place.skipped}


IN_TREE = ["data/b.csv", "data/sub/a.jsonl", "data/sub/deep/c.tsv", "data/table.data"]


@pytest.mark.parametrize("written", ["data", "data/", "./data"])
def test_folder_is_every_file_in_it_that_can_be_read(written, tree):
    place = expand(written, tree)

    assert names(place) == IN_TREE
    assert reasons(place) == {
        "data/.DS_Store": "hidden",
        "data/.git": "hidden",
        "data/Thumbs.db": "hidden",
        "data/README.md": "about-the-data",
        "data/gone.csv": "not-a-file",
        "data/linked": "link-to-folder",
        "data/notes.rst": "unknown-kind",
        "data/~$b.xlsx": "hidden",
    }


def test_no_absolute_path_is_a_name(tree):  # C43
    assert names(expand(str(tree / "data"), tree)) == IN_TREE
    assert names(expand(str(tree / "data" / "b.csv"), tree)) == ["b.csv"]
    assert names(expand(str(tree / "data" / "sub" / "*.jsonl"), tree)) == ["sub/a.jsonl"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("data/*.csv", ["data/b.csv"]),
        ("data/**/[abc].*", ["data/b.csv", "data/sub/a.jsonl", "data/sub/deep/c.tsv"]),
        ("*/sub/?.jsonl", ["data/sub/a.jsonl"]),
        ("data/../data/b.*", ["data/../data/b.csv"]),
    ],
)
def test_pattern_is_every_file_that_matches(written, found, tree):
    assert names(expand(written, tree)) == found


def test_what_a_pattern_matches_and_is_not_read_is_listed(tree):
    place = expand("data/*", tree)

    assert names(place) == ["data/b.csv", "data/table.data"]
    assert reasons(place) == {
        "data/Thumbs.db": "hidden",
        "data/~$b.xlsx": "hidden",
        "data/README.md": "about-the-data",
        "data/gone.csv": "not-a-file",
        "data/linked": "not-a-file",
        "data/notes.rst": "unknown-kind",
        "data/sub": "not-a-file",
    }


def test_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    for name in ("a[1].csv", "a1.csv"):
        (tmp_path / name).touch()

    assert names(expand("a[1].csv", tmp_path)) == ["a[1].csv"]


def test_kind_that_the_recipe_gives_is_that_of_every_file(tree):
    read = Source.model_validate(
        {"path": "x", "licence": "x", "declaration": DECLARATION, "read": {"kind": "csv"}}
    ).read

    assert "data/notes.rst" in names(expand("data", tree, read))


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on Unix alone")
def test_name_that_is_no_text_is_listed(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xa4\xa4.csv"
    Path(os.fsdecode(path)).write_text(TABLE)
    (tmp_path / "a.csv").write_text(TABLE)

    place = expand(".", tmp_path)

    assert names(place) == ["a.csv"]
    assert reasons(place) == {"\\udca4\\udca4.csv": "name-is-not-utf-8"}


def test_folder_without_a_file_that_can_be_read_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.rst").write_text("# x\n")
    (tmp_path / "data" / ".hidden").write_text(TABLE)

    with pytest.raises(ResourceError) as error:
        expand("data", tmp_path)

    (problem,) = error.value.problems
    assert problem.what == (
        "there is no file that can be read; not read are: data/.hidden (hidden, or kept by a "
        "program for itself), data/notes.rst (of a kind that cannot be told, or that is not read)"
    )
    assert problem.fix == (
        "name it alone as `path` if it holds rows; name it alone as `path` and say how to read "
        "it, `read: {kind: …}`"
    )
    assert names(expand("data/.hidden", tmp_path)) == ["data/.hidden"]


def test_folder_without_a_file_is_refused(tmp_path):
    (tmp_path / "data").mkdir()

    with pytest.raises(ResourceError, match="there is no file in it") as error:
        expand("data", tmp_path)

    assert error.value.problems[0].fix == "put the data there, or name another `path`"


@pytest.mark.parametrize("reason", places.REASONS)
def test_every_reason_not_to_read_a_file_has_words_and_a_fix(reason):
    said, fix = not_read(reason)

    assert said not in (reason, "")
    assert fix


def test_pattern_without_a_match_is_refused(tmp_path):
    with pytest.raises(ResourceError, match=r"\*\.csv: no file matches") as error:
        expand("*.csv", tmp_path)

    assert error.value.problems[0].fix


# --- what a recipe is told


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Load the good recipe with `a.csv` written otherwise."""
    monkeypatch.chdir(tmp_path)

    def load(written="a.csv"):
        (tmp_path / "shop.yaml").write_text(GOOD.replace("a.csv", written), encoding="utf-8")
        return load_recipe("shop.yaml")

    return load


def test_data_files_lie_beside_the_recipe(recipe, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.csv").touch()
    recipe().path.rename(tmp_path / "sub" / "shop.yaml")

    found = require_inputs(load_recipe("sub/shop.yaml"))

    assert found == {"data.sources.0.path": tmp_path / "sub" / "a.csv"}


def test_missing_data_file_is_named_with_the_one_like_it(recipe, tmp_path):
    (tmp_path / "a1.csv").touch()

    with pytest.raises(ResourceError) as caught:
        require_inputs(recipe())

    assert str(caught.value) == (
        f"shop.yaml:8:8: data.sources.0.path: no such file: {tmp_path / 'a.csv'}\n"
        "  fix: is it `a1.csv`?"
    )


def test_every_file_of_a_folder_is_an_input(recipe, tree):
    found = require_inputs(recipe("data"))

    assert found == {f"data.sources.0.path: {name}": tree / name for name in IN_TREE}


def test_data_catalogue_is_refused_with_what_to_do(recipe):
    with pytest.raises(RecipeError) as caught:
        require_inputs(recipe("catalogue:faq@3"))

    assert str(caught.value) == (
        "shop.yaml:8:8: data.sources.0.path: the data catalogue is not there yet\n"
        "  fix: write the path of a file or a folder"
    )


# --- archives


@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
def test_archive_is_read_as_the_folder_that_it_holds(pack, bench):  # C77
    write = pack(
        ("faq/b.csv", TABLE.format(n=1).encode()),
        (
            "a.jsonl",
            '{"question": "問2", "answer": ""}\n{"question": "三", "answer": "答"}'.encode(),
        ),
        ("__MACOSX/._b.csv", b"x"),
        ("inner.zip", b"PK"),
        ("notes.rst", b"# x\n"),
    )
    name = write(bench.folder).name

    manifest = bench.prepare(name)

    assert [source.path for source in manifest.sources] == [f"{name}/a.jsonl", f"{name}/faq/b.csv"]
    assert bench.refused() == [(1, "empty-answer")]
    assert [e.source for e in bench.part()] == [f"{name}/a.jsonl", f"{name}/faq/b.csv"]
    assert {s.path.removeprefix(f"{name}/"): s.reason for s in manifest.skipped} == {
        "__MACOSX/._b.csv": "hidden",
        "inner.zip": "archive-in-archive",
        "notes.rst": "unknown-kind",
    }
    assert sorted(p.name for p in bench.out.iterdir()) == [
        "manifest.json", "refused.jsonl", "train.jsonl",
    ]  # fmt: skip


def test_fault_in_an_archive_is_told_by_archive_and_member(bench):
    path = zip_of(("faq/b.csv", b'question,answer\n"open,x\n'))(bench.folder)

    with pytest.raises(DataError) as error:
        bench.prepare("a.zip")

    assert error.value.problems[0].where.startswith(str(path / "faq" / "b.csv"))


def test_bad_archive_stops_the_stage_and_leaves_nothing(bench):  # C77
    zip_of(("a.csv", b"question,answer\n"), ("../x.csv", b"x"))(bench.folder)

    with pytest.raises(DataError, match=r"`\.\./x\.csv`"):
        bench.prepare("a.zip")

    assert [p for p in bench.folder.rglob("*") if p.is_file()] == [bench.folder / "a.zip"]


# --- the hub


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the hub as huggingface_hub lays it out, with one revision of one dataset."""
    from huggingface_hub import constants

    top = tmp_path / "hub"
    files = {"data/b.csv": TABLE.format(n=1), "data/a.csv": TABLE.format(n=2), "README.md": "# x\n"}
    for number, (name, text) in enumerate(files.items()):
        blob = top / "datasets--owner--faq" / "blobs" / str(number)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_text(text, encoding="utf-8")
        link = top / "datasets--owner--faq" / "snapshots" / REVISION / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(top))
    return top


HUB = f"hub:owner/faq@{REVISION}"


def asked(hub_id, revision):
    """What looks at the hub first, as huggingface_hub does unless told otherwise."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, repo_type="dataset", revision=revision))
    except NetworkBlocked as error:
        raise AssertionError("a connection was tried") from error


@case("C70", {"the hub is asked first": change(places, "_snapshot", asked)})
@pytest.mark.parametrize(
    ("written", "found"),
    [
        (HUB, [f"{HUB}/data/a.csv", f"{HUB}/data/b.csv"]),
        (f"{HUB}/data/", [f"{HUB}/data/a.csv", f"{HUB}/data/b.csv"]),
        (f"{HUB}/data/b.csv", [f"{HUB}/data/b.csv"]),
        (f"{HUB}/data/[b].*", [f"{HUB}/data/b.csv"]),
    ],
)
def test_dataset_of_the_hub_is_read_from_the_cache(written, found, cache, bench):
    manifest = bench.prepare(written)

    assert [source.path for source in manifest.sources] == found
    assert str(cache) not in (bench.out / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "written", [f"hub:owner/other@{REVISION}", f"hub:owner/faq@{REVISION[::-1]}", f"{HUB}/c.csv"]
)
def test_dataset_that_is_not_in_the_cache_is_named_with_its_command(written, cache, tmp_path):
    with pytest.raises(ResourceError) as error:  # C70
        expand(written, tmp_path)

    (problem,) = error.value.problems
    hub_id, revision = written.removeprefix("hub:").removesuffix("/c.csv").split("@")
    assert problem.fix == f"hf download --repo-type dataset {hub_id} --revision {revision}"
    assert "on this machine" in problem.what


@pytest.mark.parametrize(
    "written", ["hub:owner/faq", "hub:owner/faq@main", f"hub:owner/faq@{REVISION[:7]}", "hub:faq@1"]
)
def test_dataset_that_is_not_pinned_is_refused(written, cache, tmp_path):
    with pytest.raises(RecipeError, match="by its exact revision"):
        expand(written, tmp_path)


def test_path_that_leads_out_of_a_dataset_is_refused(cache, tmp_path):
    with pytest.raises(RecipeError, match="leads out of"):
        expand(f"{HUB}/../../../x.csv", tmp_path)
