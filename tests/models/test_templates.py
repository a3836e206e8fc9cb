"""Every chat template of a base model is told by the hash of its text (C75)."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from foundry.core.errors import ResourceError
from foundry.models import templates
from foundry.models.fetch import locate
from foundry.models.templates import template_hashes
from tests import hostile
from tests.cases import case, change
from tests.delivery.made_run import write_gguf
from tests.templates import stock_template
from tests.tiny_recipe import ACCEPT, TinyRecipe, call


def sha256(text: str) -> str:
    """The hash of a template's text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, which has no template of its own."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "base"))


def test_base_without_a_template_is_lent_its_familys(folder: Path):
    assert template_hashes(folder, "llama") == {
        "trl/llama3.jinja": sha256(stock_template("llama3"))
    }


@case("C75", {"nobody looks": change(templates, "_in_folder", lambda _folder: [])})
def test_each_place_where_a_template_may_stand_is_told(folder: Path):
    (folder / "chat_template.jinja").write_text("own", encoding="utf-8")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tools.jinja").write_text("more", encoding="utf-8")
    hostile.edit(folder / "processor_config.json", chat_template="processor")
    several = [{"name": "default", "template": "one"}, {"name": "rag", "template": "two"}, 3]
    hostile.edit(folder / "tokenizer_config.json", chat_template=several)
    write_gguf(folder / "base.gguf", **{"tokenizer.chat_template": "in GGUF"})

    assert template_hashes(folder, "llama") == {
        "chat_template.jinja": sha256("own"),
        "additional_chat_templates/tools.jinja": sha256("more"),
        "processor_config.json: chat_template": sha256("processor"),
        "tokenizer_config.json: chat_template.default": sha256("one"),
        "tokenizer_config.json: chat_template.rag": sha256("two"),
        "base.gguf: tokenizer.chat_template": sha256("in GGUF"),
    }


def test_template_of_a_gguf_alone_is_not_the_one_that_is_used(folder: Path):
    write_gguf(folder / "base.gguf", **{"tokenizer.chat_template": "in GGUF"})

    found = template_hashes(folder, "llama")

    assert list(found) == ["base.gguf: tokenizer.chat_template", "trl/llama3.jinja"]


def test_broken_gguf_of_a_base_is_told_by_its_place(folder: Path, tmp_path: Path):
    (folder / "base.gguf").write_bytes(b"GGUF\x03" + bytes(3))

    with pytest.raises(ResourceError, match="not a GGUF file that can be read") as error:
        locate(str(folder), tmp_path)

    (problem,) = error.value.problems
    assert (problem.where, problem.fix) == (str(folder / "base.gguf"), "fetch it again")


def test_plan_shows_template_and_hash(recipe: TinyRecipe):
    base = recipe.folder / "base"
    (base / "chat_template.jinja").write_text(stock_template("llama3"), encoding="utf-8")
    digest = sha256(stock_template("llama3"))

    shown = call("plan", str(recipe.file), *ACCEPT)
    planned = json.loads(call("plan", str(recipe.file), *ACCEPT, "--json").out)

    line = f"chat template sha256:{digest[:16]} chat_template.jinja"
    assert line in " ".join(shown.out.split())
    assert planned["base"]["templates"]["chat_template.jinja"] == digest


def test_record_of_a_base_keeps_the_hashes(folder: Path, tmp_path: Path):
    base = locate(str(folder), tmp_path)

    assert base.templates == template_hashes(folder, "llama")
