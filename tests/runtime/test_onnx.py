"""An exported ONNX folder answers as the live model does."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import ResourceError
from foundry.delivery.parity import TEXTS
from foundry.evals.subjects import of_onnx
from foundry.runtime import onnx
from foundry.runtime.contract import Decoding
from foundry.runtime.onnx import OnnxRuntime
from foundry.runtime.transformers import TransformersRuntime
from tests.cases import case, change
from tests.tiny_run import Trained

pytest.importorskip("onnxruntime_genai", reason="an extra: pip install 'ai-foundry[onnx]'")
pytest.importorskip("onnx_ir", reason="the model builder needs it: pip install onnx-ir onnx")

SHORT, LONG = [0, 20, 30], [0, *range(40, 51)]


@pytest.fixture(scope="module")
def trained(trained_llama: Trained) -> Trained:
    return trained_llama


@pytest.fixture(scope="module")
def folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The merged model as onnxruntime-genai's builder exports it, in float32."""
    source, made = (tmp_path_factory.mktemp(name) for name in ("merged", "onnx"))
    trained.tuned.freshly_merged().save_pretrained(source)
    trained.tuned.encoder.tokenizer.save_pretrained(source)
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    options = ["-p", "fp32", "-e", "cpu", "-c", str(made / "cache")]
    subprocess.run([*command, "-i", str(source), "-o", str(made), *options], check=True)
    return made


@pytest.fixture(scope="module")
def runtime(folder: Path) -> OnnxRuntime:
    return OnnxRuntime(folder)


@pytest.fixture
def live(trained: Trained) -> TransformersRuntime:
    return TransformersRuntime(trained.tuned.model, trained.tuned.encoder.tokenizer)


def test_texts_have_the_ids_of_the_training(runtime: OnnxRuntime, live: TransformersRuntime):
    assert [runtime.tokens(text) for text in TEXTS] == [live.tokens(text) for text in TEXTS]


@pytest.mark.parametrize("stops", [(), (" dollars",)])
def test_answers_are_those_of_the_live_model(
    stops: tuple[str, ...], runtime: OnnxRuntime, live: TransformersRuntime, trained: Trained
):
    decoding = Decoding(40, trained.tuned.stop_ids, stops)

    found = runtime.generate(trained.live.trained, decoding)

    assert found == live.generate(trained.live.trained, decoding)
    assert all(made.stopped for made in found)


@case("C28", {"the folder's own rules hold": change(onnx, "GREEDY", {"do_sample": False})})
def test_the_likeliest_token_is_taken_whatever_the_folder_declares(
    folder: Path, runtime: OnnxRuntime, trained: Trained, tmp_path: Path
):
    other = Path(shutil.copytree(folder, tmp_path / os.urandom(4).hex()))
    file = other / onnx.CONFIGURATION
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["search"] |= {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1}
    file.write_text(json.dumps(settings), encoding="utf-8")
    decoding = Decoding(40, trained.tuned.stop_ids)

    found = OnnxRuntime(other).generate(trained.live.trained, decoding)

    assert found == runtime.generate(trained.live.trained, decoding)


read = OnnxRuntime._read


def filled_up(self: OnnxRuntime, ids: Sequence[int], room: int) -> Any:
    """What fills a short prompt up on the left is read as if it were said."""
    return read(self, [*[0] * (len(LONG) - len(ids)), *ids], room)


def without_the_first(self: OnnxRuntime, ids: Sequence[int], room: int) -> Any:
    """Every token stands a place too early."""
    return read(self, ids[1:], room)


@case(
    "C42",
    {
        "filling is read": change(OnnxRuntime, "_read", filled_up),
        "places are off by one": change(OnnxRuntime, "_read", without_the_first),
    },
)
def test_short_and_long_prompts_go_on_as_side_by_side_with_and_without_cache(
    runtime: OnnxRuntime, live: TransformersRuntime
):
    """The live model reads both in one pass, the shorter one filled up on the left."""
    prompts = [SHORT, LONG]
    wanted = live.generate(prompts, Decoding(20))

    found = runtime.generate(prompts, Decoding(20))

    assert [made.ids for made in found] == [made.ids for made in wanted]
    assert [len(made.ids) for made in found] == [20, 20]
    for prompt, made in zip(prompts, found, strict=True):
        so_far = [[*prompt, *made.ids[:n]] for n in range(20)]
        ours, theirs = (one.next_logprobs(so_far, 5) for one in (runtime, live))
        assert [max(said, key=said.__getitem__) for said in ours] == list(made.ids)
        for said, expected in zip(ours, theirs, strict=True):
            assert said == pytest.approx(expected, abs=1e-3)


def test_answer_cut_by_its_length_has_not_stopped(runtime: OnnxRuntime, trained: Trained):
    (made,) = runtime.generate(trained.live.trained[:1], Decoding(2, trained.tuned.stop_ids))

    assert len(made.ids) == 2
    assert not made.stopped


def test_loglikelihoods_are_those_of_the_live_model(
    runtime: OnnxRuntime, live: TransformersRuntime
):
    prompts, continuations = [SHORT, LONG, SHORT], [[7], [9, 8, 7], [3, 4, 5, 6, 7, 8]]

    found = runtime.loglikelihoods(prompts, continuations)

    for ours, theirs in zip(found, live.loglikelihoods(prompts, continuations), strict=True):
        assert ours.sum == pytest.approx(theirs.sum, abs=1e-3)  # float32, six summands
        assert (ours.tokens, ours.is_greedy) == (theirs.tokens, theirs.is_greedy)


def test_likelihood_of_a_written_answer_is_greedy(runtime: OnnxRuntime, trained: Trained):
    prompt = trained.live.trained[4]
    (made,) = runtime.generate([prompt], Decoding(4))

    found = runtime.loglikelihoods([prompt] * 2, [made.ids, [*made.ids[:3], made.ids[3] + 1]])

    assert [one.is_greedy for one in found] == [True, False]


def test_logprobs_are_those_of_the_most_likely_ids(runtime: OnnxRuntime, live: TransformersRuntime):
    (found,), (wanted,) = (one.next_logprobs([LONG], 5) for one in (runtime, live))

    assert list(found) == list(wanted)
    assert [*found.values()] == pytest.approx([*wanted.values()], abs=1e-4)


def test_prompt_longer_than_the_context_is_told(runtime: OnnxRuntime):
    with pytest.raises(ResourceError, match="514 tokens, the model reads 512"):
        runtime.generate([[0, *[20] * 511]], Decoding(2))


def test_folder_is_spoken_to_as_the_model_it_was_made_of(folder: Path, trained: Trained):
    with of_onnx("m", folder).speaking() as speech:
        assert speech.ids("售價三百元。") == trained.tuned.encoder.ids("售價三百元。")
        assert speech.context == 512


def test_folder_that_is_no_model_is_told(tmp_path: Path):
    (tmp_path / "genai_config.json").write_text("{}")

    with pytest.raises(ResourceError, match="cannot load the folder"):
        OnnxRuntime(tmp_path)
