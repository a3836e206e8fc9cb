"""The package holds what it must, names nothing private, and is there whole or not at all."""

import getpass
import json
import re
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core import atomic, secrets
from foundry.core.environment import record
from foundry.core.errors import GateError, LicenceError, ProofError
from foundry.core.records import Turn
from foundry.delivery import package as made
from foundry.delivery import private
from foundry.delivery.package import PackageInputs, build_package, public_plan
from foundry.delivery.package_record import PackageRecord
from foundry.encode.render import render
from tests.cases import case, change
from tests.delivery.made_run import BASE, CHAT, make_run, refresh_export, write_gguf

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
NOBODY_LOOKS = change(private, "findings", lambda package, private: [])
NOT_FREED = change(private, "freed", lambda text, private: text)
NO_TOKENS = change(secrets, "find", lambda text: [])


def all_text(folder: Path) -> str:
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "tokenizer.json"]
    return "\n".join(p.read_bytes().decode("utf-8", errors="replace") for p in files)


def refused(inputs: PackageInputs) -> str:
    with pytest.raises(ProofError) as caught:
        build_package(inputs)
    assert not inputs.run.file("package").exists()
    return str(caught.value)


def test_holds_exports_evidence_licences_and_card(made_once):
    names = {p.relative_to(made_once).as_posix() for p in made_once.rglob("*") if p.is_file()}

    assert names == {
        *("README.md", "openness.yaml", "package.json", "chat_template.jinja", "SHA256SUMS"),
        *("data_card.md", "ai_basic_act.md", "claims.json"),
        *("LICENCE.md", "NOTICE", "CHANGES.md", "licences/CC0-1.0.txt"),
        *("licences/GEMMA_TERMS_OF_USE.txt", "licences/GEMMA_PROHIBITED_USE_POLICY.txt"),
        *("adapter/adapter_config.json", "adapter/adapter_model.safetensors"),
        *("adapter/tokenizer.json", "gguf-q8_0/model.gguf"),
        *("foundry/recipe.yaml", "foundry/plan.json", "foundry/env.json", "foundry/manifest.json"),
        *("foundry/mask_report.json", "foundry/train.json", "foundry/parity.json"),
        *("foundry/report.json", "foundry/report.html", "foundry/steps.json"),
        *("foundry/licence.json", "foundry/energy.json", "foundry/ai_basic_act.json"),
        *("bom.cdx.json", "provenance.intoto.json", "sovereignty.json"),
    }


def test_sums_are_checked_by_sha256sum(made_once):
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=made_once, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout
    lines = (made_once / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == len([p for p in made_once.rglob("*") if p.is_file()]) - 1
    assert [line[66:] for line in lines] == sorted(line[66:] for line in lines)


def test_record_says_how_to_speak_to_it(made_once):  # C36
    record = PackageRecord.model_validate(json.loads((made_once / "package.json").read_text()))

    assert record.chat.stop_ids == (106, 1)
    assert record.chat.stop_tokens == ("<end_of_turn>", "<eos>")
    assert record.chat.artefact == "gguf-q8_0/model.gguf"
    assert record.chat.context == "before"
    template = made_once / record.chat.template
    assert template.read_text(encoding="utf-8") == CHAT.template
    assert atomic.sha256(template) == record.chat.template_sha256
    assert record.base.hub_id == "google/gemma-3-270m"
    assert record.accepted_terms == ("gemma",)


def test_template_of_the_package_renders_the_trained_prompt(made_once):  # C37
    template = (made_once / "chat_template.jinja").read_text(encoding="utf-8")

    turns = (Turn("user", "保固多久？"),)
    text = render(turns, template, bos_token="<bos>", add_generation_prompt=True)

    expected = "<bos><start_of_turn>user\n保固多久？<end_of_turn>\n<start_of_turn>model\n"
    assert text == expected


def test_same_run_makes_the_same_bytes(inputs):
    first = build_package(inputs)
    second = build_package(inputs)

    assert first == second
    assert first.files["README.md"] == atomic.sha256(inputs.run.file("package", "README.md"))


def test_holds_no_path_user_or_host(inputs):  # C43
    folder = inputs.run.file(build_package(inputs).path)
    text = all_text(folder)

    for path in (str(inputs.run.path), "/srv/models", str(Path.home()) + "/", str(Path.cwd())):
        assert path not in text
    assert not re.search(rf"[/\\]{re.escape(socket.gethostname())}[/\\]", text)
    assert f"/{getpass.getuser()}/" not in text


@case("C43", {"records are not freed": NOT_FREED})
@pytest.mark.parametrize(
    "folder",
    ["/home/wang/base", "/home/王小明/models/base", r"C:\Users\王小明\models\base"],
)
def test_base_in_a_folder_is_named_without_its_place(tmp_path_factory, folder):
    base = replace(BASE, name="base", hub_id=None, folder=folder, gguf=None)
    inputs = make_run(tmp_path_factory.mktemp("run"), base=base)
    recipe = inputs.run.file("recipe.yaml")
    values = {**inputs.plan.values, "base_model": folder}
    inputs = replace(inputs, plan=replace(inputs.plan, values=values))
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("gemma-3-270m", json.dumps(folder, ensure_ascii=False)))

    package = inputs.run.file(build_package(inputs).path)

    text = all_text(package)
    assert not any(name in text for name in (folder, "王小明"))
    assert 'base_model: "base"' in (package / "foundry/recipe.yaml").read_text(encoding="utf-8")
    record = json.loads((package / "package.json").read_text(encoding="utf-8"))
    assert (record["base"]["name"], record["base"]["weights_sha256"]) == ("base", "a5" * 32)


def test_public_plan_has_no_folder_and_keeps_the_hash(inputs):
    plan = public_plan(inputs.plan)

    assert {"folder", "gguf"}.isdisjoint(plan["base"])
    assert plan["base"]["sha256"] == BASE.sha256
    assert plan["recipe_path"] == "recipe.yaml"


@case("C43", {"nobody looks": NOBODY_LOOKS})
def test_path_in_an_adapters_config_is_refused(inputs):
    config = inputs.run.file("exports/adapter/adapter_config.json")
    atomic.write_json(config, {"base_model_name_or_path": "/data/wang/tiny"})
    refresh_export(inputs.run, "adapter")

    message = refused(inputs)

    assert "adapter/adapter_config.json" in message
    assert "/data/wang/tiny" in message


@case("C43", {"nobody looks": NOBODY_LOOKS})
def test_path_in_a_ggufs_metadata_is_refused(inputs):
    path = inputs.run.file("exports/gguf-q8_0/model.gguf")
    write_gguf(path, **{"general.source.url": "/home/wang/tiny"})
    refresh_export(inputs.run, "gguf-q8_0")

    assert "gguf-q8_0/model.gguf: general.source.url" in refused(inputs)


@case("C43", {"nobody looks": NOBODY_LOOKS})
def test_path_in_a_safetensors_header_is_refused(inputs):
    import numpy as np
    from safetensors.numpy import save_file

    path = inputs.run.file("exports/adapter/adapter_model.safetensors")
    save_file({"a": np.ones(1, dtype=np.float32)}, path, metadata={"from": "/home/wang/tiny"})
    refresh_export(inputs.run, "adapter")

    assert "adapter/adapter_model.safetensors: __metadata__" in refused(inputs)


@case("C78", {"nobody looks": NOBODY_LOOKS, "no token is known": NO_TOKENS})
@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        "hf_TESTTOKEN",
        "sk-proj-abc123def456ghi789",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_token_in_the_environment_record_is_refused_and_not_repeated(inputs, token):
    atomic.write_json(inputs.run.file("env.json"), {**record(), "settings": {"X": token}})

    message = refused(inputs)

    assert "foundry/env.json: holds what looks like an access token (line " in message
    assert token not in message


@case("C78", {"nobody looks": NOBODY_LOOKS, "no token is known": NO_TOKENS})
@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "notes.bin"])
def test_token_in_any_file_of_an_export_is_refused(inputs, name):
    path = inputs.run.file("exports/adapter", name)
    atomic.write_json(path, {"model": {"vocab": {TOKEN: 1}}})
    refresh_export(inputs.run, "adapter")

    assert f"adapter/{name}: holds what looks like an access token" in refused(inputs)


@case("C78", {"nobody looks": NOBODY_LOOKS, "no token is known": NO_TOKENS})
@pytest.mark.parametrize("where", ["a row", "the recipe"])
def test_token_that_only_the_environment_tells_is_refused(inputs, where):
    secret = "correct horse battery"
    name = "data/mask_report.json" if where == "a row" else "recipe.yaml"
    path = inputs.run.file(name)
    if where == "a row":
        values = json.loads(path.read_text(encoding="utf-8"))
        atomic.write_json(path, {**values, "samples": [f"<bos>{secret}"]})
    else:
        path.write_text(path.read_text(encoding="utf-8") + f"# {secret}\n", encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", secret)
        assert Path(name).name in refused(inputs)


def test_name_of_the_host_is_refused(inputs, monkeypatch):  # C43
    monkeypatch.setattr(made.private.platform, "node", lambda: "wang-laptop")
    atomic.write_json(inputs.run.file("env.json"), {**record(), "log": "runs/Nov25_wang-laptop"})

    assert "wang-laptop" in refused(inputs)


def test_name_of_the_user_is_refused_as_a_value(inputs, monkeypatch):  # C43
    monkeypatch.setattr(made.private.getpass, "getuser", lambda: "wang")
    atomic.write_json(inputs.run.file("env.json"), {**record(), "user": "wang"})

    assert "foundry/env.json" in refused(inputs)


def test_user_who_signs_the_recipe_is_not_refused(inputs, monkeypatch):
    monkeypatch.setattr(made.private.getpass, "getuser", lambda: "AI Foundry")

    assert build_package(inputs).files


def test_path_in_an_answer_is_a_fact_of_the_trade(inputs):
    report = json.loads(inputs.run.file("evals/report.json").read_text(encoding="utf-8"))
    report["telling"][0]["note"] = "設定檔在 /etc/nginx/nginx.conf，紀錄在 /home/shop/log"
    atomic.write_json(inputs.run.file("evals/report.json"), report)

    assert build_package(inputs).files


def test_missed_gate_makes_no_package(tmp_path):
    inputs = make_run(tmp_path, passes=False)

    with pytest.raises(GateError, match="exact-match"):
        build_package(inputs)

    assert not inputs.run.file("package").exists()


def test_missing_notice_makes_no_package(inputs, monkeypatch):
    monkeypatch.setattr(made, "notices", lambda _bound, **_texts: {"NOTICE": "nothing"})

    with pytest.raises(LicenceError, match=r"licences/GEMMA_TERMS_OF_USE\.txt"):
        build_package(inputs)

    assert not inputs.run.file("package").exists()


def test_missing_evidence_is_named(inputs):
    inputs.run.file("evals/report.html").unlink()

    assert "evals/report.html" in refused(inputs)


def test_export_changed_after_its_proof_is_refused(inputs):
    with inputs.run.file("exports/gguf-q8_0/model.gguf").open("ab") as stream:
        stream.write(b"\0")

    assert "exports/gguf-q8_0/model.gguf" in refused(inputs)


def test_refusal_leaves_the_older_package_as_it_was(inputs):  # C65
    before = build_package(inputs)
    atomic.write_json(inputs.run.file("env.json"), {**record(), "settings": {"X": TOKEN}})

    with pytest.raises(ProofError):
        build_package(inputs)

    package = inputs.run.file("package")
    assert {name: atomic.sha256(package / name) for name in before.files} == before.files
    assert [p.name for p in package.parent.iterdir() if p.name.endswith(".tmp")] == []


def test_file_of_an_older_package_does_not_stay(inputs):
    build_package(inputs)
    inputs.run.file("package/old.txt").write_text("old")

    assert "old.txt" not in build_package(inputs).files
    assert not inputs.run.file("package/old.txt").exists()
