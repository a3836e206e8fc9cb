"""What a program such as Ollama reads of our files stands in them, since we write no Modelfile.

Its `FROM` takes the GGUF file with the template and the ends in it (C37), its `ADAPTER` a folder or
a GGUF adapter on the base that it names (C38).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.records import Turn
from foundry.core.rundir import RunDir
from foundry.delivery import gguf_files, gguf_fit
from foundry.delivery.exporters import adapter as adapter_exporter
from foundry.delivery.gguf_files import write_model
from foundry.runtime.llamacpp import LlamaCppRuntime
from foundry.train.adapter_files import CONFIG, WEIGHTS
from tests.cases import case, change
from tests.delivery.gguf_content import ends
from tests.delivery.made_run import BASE
from tests.delivery.shelf import Shelf

CHATS = (
    (Turn("user", "請問電風扇保固多久？"),),
    (Turn("system", "You sell fans."), Turn("user", "What color is it?")),
    (Turn("user", "產地是哪裡？"), Turn("assistant", "台灣。"), Turn("user", "可以刷卡嗎👍？")),
)
GUESSED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
TEMPLATE = "tokenizer.chat_template"
metadata = gguf_files._metadata


def guessed(tuned: Any, model: Any, family: Any) -> Any:
    fields = metadata(tuned, model, family)
    return fields | {TEMPLATE: (GUESSED, fields[TEMPLATE][1])}


def none(tuned: Any, model: Any, family: Any) -> Any:
    return {key: field for key, field in metadata(tuned, model, family).items() if key != TEMPLATE}


def last_alone(stop_ids: tuple[int, ...]) -> dict[str, int]:
    return {gguf_files.END_OF_TEXT: stop_ids[-1]}


@case(
    "C37",
    {
        "a guessed template": change(gguf_files, "_metadata", guessed),
        "no template": change(gguf_files, "_metadata", none),
        "the end of a turn is not told": change(gguf_files, "stop_fields", last_alone),
    },
)
def test_file_alone_makes_the_trained_prompts_and_knows_the_ends(
    llama_shelf: Shelf, tmp_path: Path
):
    tuned, path = llama_shelf.tuned, tmp_path / "model.gguf"
    tokenizer = tuned.encoder.tokenizer

    write_model(tuned, tuned.merged, path, quantization="f16")

    with LlamaCppRuntime(path, slots=1) as runtime:
        found = [runtime.tokens(runtime.rendered(turns)) for turns in CHATS]
    for turns, ids in zip(CHATS, found, strict=True):
        said = [{"role": turn.role, "content": turn.content} for turn in turns]
        text = tokenizer.apply_chat_template(
            said,
            chat_template=tuned.encoder.template,
            tokenize=False,
            add_generation_prompt=True,
        )
        # llama.cpp takes the BOS off what it renders, and puts one before what it is to read.
        ids = tuned.encoder.once_bos(ids)
        assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids.count(tokenizer.bos_token_id) == 1
    assert ends(path) == {*tuned.stop_ids}


right = adapter_exporter.write


def weights_alone(tuned: Any, spec: Any, out: Path) -> None:
    right(tuned, spec, out)
    (out / CONFIG).unlink()


def with_the_path(tuned: Any, spec: Any, out: Path) -> None:
    right(tuned, spec, out)
    config = json.loads((out / CONFIG).read_text(encoding="utf-8"))
    atomic.write_json(out / CONFIG, {**config, "base_model_name_or_path": tuned.base.folder})


@case(
    "C38",
    {
        "weights alone": change(adapter_exporter, "write", weights_alone),
        "the base by its path": change(adapter_exporter, "write", with_the_path),
    },
)
def test_adapter_is_whole_and_names_its_base_wherever_it_lies(llama_shelf: Shelf, tmp_path: Path):
    run = RunDir(tmp_path / "我的 模型 (1)")
    run.path.mkdir()
    tuned = llama_shelf.trained.with_gguf(run.path)

    made = [
        llama_shelf.make(name, tuned=tuned, run=run) for name in ("adapter", "gguf-adapter-f32")
    ]

    files = {Path(file).name for one in made for file in one.files}
    assert files >= {CONFIG, WEIGHTS, "adapter.gguf"}
    assert not any(Path(file).is_absolute() for one in made for file in one.files)
    config = json.loads((run.path / made[0].path / CONFIG).read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == (tuned.base.hub_id or tuned.base.name)
    assert "/" not in tuned.base.name


@case("C38", {"any family": change(gguf_fit, "misfit", lambda base: None)})
def test_family_that_has_no_gguf_adapter_is_sent_to_the_merged_model():
    exporter = plugins.load("exporter", "gguf-adapter")

    problem = exporter.misfit(replace(BASE, family="qwen3"))

    assert problem is not None
    assert "of the family `qwen3`" in problem.what
    assert problem.fix == "export `merged` or `adapter` instead"


def test_package_pins_the_base_by_its_hash(package: Path):
    record = json.loads((package / "package.json").read_text(encoding="utf-8"))

    assert record["base"]["weights_sha256"] == BASE.sha256
