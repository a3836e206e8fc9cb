"""`verify` names every file that is not as it was made, and everything else that is wrong."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.cli.main import main
from foundry.core.errors import ProofError, ResourceError
from foundry.delivery import openness, private, sums
from foundry.delivery.verify import verify, verify_for_chat
from tests.cases import case, change
from tests.delivery.made_run import faults


def edit(package: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change `package.json` and list its new hash, as someone who means harm would."""
    path = package / "package.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    sums.write(package)


def test_untouched_package_is_in_order(made_once, capsys):
    report, count = verify(made_once), len([p for p in made_once.rglob("*") if p.is_file()])

    assert (report.name, report.version) == ("retail-customer-service", "1.0.0")
    assert report.files == count > 24
    assert report.exports == ("adapter", "gguf-q8_0")
    assert report.size_bytes == sum(p.stat().st_size for p in made_once.rglob("*") if p.is_file())
    assert main(["verify", str(made_once)]) == 0
    assert f"{count} files" in capsys.readouterr().out


def test_one_flipped_bit_in_any_file_ends_with_1_and_names_it(package, capsys):
    names = sorted(p.relative_to(package).as_posix() for p in package.rglob("*") if p.is_file())
    assert len(names) > 24

    for name in names:
        path = package / name
        original = path.read_bytes()
        changed = bytearray(original)
        changed[len(original) // 2] ^= 1
        path.write_bytes(changed)

        assert main(["verify", str(package)]) == 1, name
        assert name in capsys.readouterr().err

        path.write_bytes(original)
    assert main(["verify", str(package)]) == 0


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_of_the_list_itself_is_found(package, bit):
    path = package / "SHA256SUMS"
    original = path.read_bytes()

    for at in (0, 63, 64, 65, 66, len(original) - 1):
        changed = bytearray(original)
        changed[at] ^= 1 << bit
        path.write_bytes(changed)

        assert "SHA256SUMS" in faults(package), at


def test_lost_and_added_files_are_named_together(package):
    (package / "NOTICE").unlink()
    (package / "gguf-q8_0" / "extra.bin").write_bytes(b"x")

    message = faults(package)

    assert "NOTICE: the file is missing" in message
    assert "gguf-q8_0/extra.bin: the file is not listed in SHA256SUMS" in message


def test_missing_list_is_named(package):
    (package / "SHA256SUMS").unlink()

    assert "SHA256SUMS: the list of hashes is missing" in faults(package)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("not a line", ": not a SHA-256 and a file name"),
        (f"{'0' * 64}  ../outside", ": the name leads out of the package"),
        (f"{'0' * 64}  /etc/passwd", ": the name leads out of the package"),
        (f"{'0' * 64}  C:\\x", ": the name leads out of the package"),
        (f"{'0' * 64}  a/./b", ": the name leads out of the package"),
        (f"{'0' * 64}  NOTICE", ": `NOTICE` must not stand here"),
        (f"{'0' * 64}  SHA256SUMS", ": `SHA256SUMS` must not stand here"),
        (f"{'A' * 64}  NOTICE", ": not a SHA-256"),
    ],
)
def test_bad_line_is_named(package, line, found):  # C77
    number = len((package / "SHA256SUMS").read_text().splitlines()) + 1
    with (package / "SHA256SUMS").open("a") as stream:
        stream.write(line + "\n")

    assert f"SHA256SUMS:{number}{found}" in faults(package)


def test_links_are_refused_and_not_followed(package, tmp_path):  # C77
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "NOTICE").write_bytes((package / "NOTICE").read_bytes())
    (package / "NOTICE").unlink()
    (package / "NOTICE").symlink_to(outside / "NOTICE")
    shutil.copytree(package / "licences", outside / "licences")
    shutil.rmtree(package / "licences")
    (package / "licences").symlink_to(outside / "licences")

    message = faults(package)

    assert "NOTICE: links, pipes and devices do not belong in a package" in message
    assert "licences: links, pipes and devices do not belong in a package" in message
    assert "licences/CC0-1.0.txt: the file is missing" in message


def test_pipe_is_refused_without_reading_it(package):  # C77
    os.mkfifo(package / "pipe")

    assert "pipe: links, pipes and devices" in faults(package)


def test_record_with_a_link_out_of_the_package_is_refused(package):  # C77
    edit(package, lambda values: values["chat"].update(artefact="../../secret.gguf"))

    assert "package.json: the name leads out of the package (../../secret.gguf)" in faults(package)


def test_record_of_another_form_is_named_by_key(package):
    edit(package, lambda values: values["chat"].update(stop_ids=["106"], colour="red"))

    message = faults(package)

    assert "package.json: chat.stop_ids.0" in message
    assert "package.json: chat.colour" in message


def test_record_that_is_not_json_is_named(package):
    (package / "package.json").write_text("[" * 100_000)
    sums.write(package)

    assert "package.json: not JSON" in faults(package)


def test_other_template_than_the_trained_one_is_named(package):  # C37
    path = package / "chat_template.jinja"
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    sums.write(package)

    assert "chat_template.jinja: not the template that was trained" in faults(package)


def test_other_weights_than_the_proven_ones_are_named(package):
    with (package / "gguf-q8_0" / "model.gguf").open("ab") as stream:
        stream.write(b"\0")
    (package / "adapter" / "extra.json").write_text("{}")
    sums.write(package)

    message = faults(package)

    assert "gguf-q8_0/model.gguf: not the file that was proven" in message
    assert "adapter/extra.json: not one of the files that were proven" in message


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"greedy_same": 5}, "greedy answers differ"),
        ({"largest_logprob_difference": 0.7}, "log-probabilities of the next token differ"),
        ({"mean_logprob_difference": 0.07}, "log-probabilities of the next token differ"),
        ({"texts_with_other_ids": ["你好"]}, "texts split into other ids"),
        ({"prompts_with_other_ids": ["你好"]}, "the template in the file makes other prompts"),
        ({"stopped": 7}, "it does not stop after the answer"),
        ({"stop_ids_missing": [106]}, "stop ids are missing in the file"),
        ({"tensor_difference": 1.1}, "tensors differ from the merged weights"),
        ({"update_difference": 0.5}, "the update differs in scale or value"),
        ({"tolerance": "none"}, "the parity record is not in its form"),
    ],
)
def test_parity_that_was_not_reached_is_named(package, change, found):
    edit(package, lambda values: values["exports"][1]["parity"].update(change))

    assert f"export.gguf-q8_0: {found}" in faults(package)


def test_export_without_a_parity_record_is_named(package):
    edit(package, lambda values: values["exports"][0].update(parity={}))

    assert "export.adapter: the parity record lacks runtime" in faults(package)


@pytest.mark.parametrize(
    "name", ["NOTICE", "LICENCE.md", "CHANGES.md", "licences/GEMMA_TERMS_OF_USE.txt"]
)
def test_required_notice_that_is_gone_is_named_even_if_the_list_was_mended(package, name):
    (package / name).unlink()
    sums.write(package)

    assert name in faults(package)


def test_unknown_licence_is_named(package):
    edit(package, lambda values: values["licences"].append("no-such-licence"))

    assert "no-such-licence" in faults(package)


def test_missing_folder_ends_with_3(tmp_path):
    with pytest.raises(ResourceError, match="no such folder"):
        verify(tmp_path / "none")
    assert main(["verify", str(tmp_path / "none")]) == 3


def test_json_lists_every_problem(package, capsys):
    (package / "NOTICE").write_text("x")
    (package / "README.md").write_text("x")

    assert main(["verify", str(package), "--json"]) == 1

    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert {"NOTICE", "README.md"} <= {problem["where"] for problem in document["problems"]}


def test_chat_checks_only_what_it_reads(package):
    (package / "README.md").write_text("x")
    assert verify_for_chat(package).name == "retail-customer-service"

    with (package / "gguf-q8_0" / "model.gguf").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ProofError, match=r"gguf-q8_0/model\.gguf: the file was changed"):
        verify_for_chat(package)


def test_chat_refuses_a_file_outside_the_package(package):  # C77
    edit(package, lambda values: values["chat"].update(artefact="../model.gguf"))

    with pytest.raises(ProofError, match="leads out of the package"):
        verify_for_chat(package)


def test_chat_needs_a_file_that_can_be_run(package):
    edit(package, lambda values: values["chat"].update(artefact=None))

    with pytest.raises(ResourceError, match="kind: gguf"):
        verify_for_chat(package)


@case("openness", {"nobody looks": change(openness, "differs", lambda package, record: iter(()))})
@pytest.mark.parametrize("become", ["another licence", "nothing", "a link"])
def test_openness_record_is_what_the_licences_make_of_it(package, become):
    path = package / "openness.yaml"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    if become == "another licence":
        path.write_text(text.replace("gemma", "MIT"), encoding="utf-8")
    elif become == "a link":
        (package.parent / "elsewhere.yaml").write_text(text, encoding="utf-8")
        path.symlink_to(package.parent / "elsewhere.yaml")
    if become != "a link":
        sums.write(package)

    assert "openness.yaml: missing, or not what the licences in package.json" in faults(package)


@case(
    "C43",
    {
        "nobody looks": change(private, "findings", lambda package, private: []),
        "no path is absolute": change(private, "_absolute", lambda text, suffix: iter(())),
    },
)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("foundry/env.json", '{"cache": "/data/wang/models"}'),
        ("foundry/recipe.yaml", 'base_model: "D:\\\\models\\\\base"\n'),
        ("NOTICE", "made in /home/wang/base\n"),
        ("CHANGES.md", "made in C:\\Users\\王小明\\models\\base\n"),
    ],
)
def test_path_of_a_machine_is_named_with_its_file(package, name, text):
    (package / name).write_text(text, encoding="utf-8")
    sums.write(package)

    assert f"{name}: holds an absolute path" in faults(package)


@case("C78", {"nobody looks": change(private, "findings", lambda package, private: [])})
@pytest.mark.parametrize(
    "name", ["NOTICE", "README.md", "foundry/report.html", "foundry/env.json", "licences/x.txt"]
)
def test_token_is_named_with_file_and_place_and_not_repeated(package, name):
    path, token = package / name, "hf_TESTTOKEN0123456789"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{text}\nuse {token}\n", encoding="utf-8")
    sums.write(package)

    message = faults(package)

    lines = text.count("\n") + 2
    assert f"{name}: holds what looks like an access token (line {lines}, column 5)" in message
    assert token not in message


@pytest.mark.parametrize("content", [b"", b"\xff" * 9, b"\xff" * 8 + b"{}", b"[" * 99_999])
@pytest.mark.parametrize(
    "name", ["adapter/tokenizer.json", "adapter/adapter_model.safetensors", "gguf-q8_0/model.gguf"]
)
def test_broken_file_is_named_and_stops_nothing(package, name, content):
    (package / name).write_bytes(content)
    (package / "NOTICE").unlink()

    message = faults(package)

    assert f"{name}: " in message
    assert "NOTICE: " in message
