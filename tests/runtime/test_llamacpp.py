"""The delivered file under llama.cpp answers as the live model does."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundry.core.errors import ResourceError
from foundry.core.records import Turn
from foundry.delivery.gguf_adapter_file import write_adapter
from foundry.delivery.gguf_files import write_model
from foundry.delivery.parity import TEXTS
from foundry.runtime.contract import Decoding
from foundry.runtime.llamacpp import LlamaCppRuntime
from foundry.runtime.transformers import TransformersRuntime
from tests.tiny_run import Trained


@pytest.fixture(scope="module")
def trained(trained_gemma3: Trained) -> Trained:
    return trained_gemma3


@pytest.fixture(scope="module")
def file(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The merged model in float16."""
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_model(trained.tuned, trained.tuned.freshly_merged(), path, quantization="f16")
    return path


@pytest.fixture(scope="module")
def runtime(file: Path) -> Iterator[LlamaCppRuntime]:
    with LlamaCppRuntime(file, slots=2, context=128) as made:
        yield made


@pytest.fixture
def live(trained: Trained) -> TransformersRuntime:
    return TransformersRuntime(trained.tuned.model, trained.tuned.encoder.tokenizer)


def test_texts_have_the_ids_of_the_training(runtime: LlamaCppRuntime, live: TransformersRuntime):
    assert [runtime.tokens(text) for text in TEXTS] == [live.tokens(text) for text in TEXTS]


def test_logprobs_are_near_those_of_the_live_model(
    runtime: LlamaCppRuntime, live: TransformersRuntime, trained: Trained
):
    prefixes = trained.live.prefixes

    found = runtime.next_logprobs(prefixes, top_n=20)
    wanted = live.next_logprobs(prefixes, top_n=1)

    # Float16 weights: 0.015 measured.
    for ours, theirs in zip(wanted, found, strict=True):
        ((token, value),) = ours.items()
        assert abs(theirs[token] - value) < 0.05


def test_logprobs_are_told_of_an_end_as_well(
    runtime: LlamaCppRuntime, live: TransformersRuntime, trained: Trained
):  # C36
    row = trained.rows[0]
    stop = trained.tuned.stop_ids[0]
    before_end = list(row.input_ids[: row.labels.index(stop)])

    (found,) = runtime.next_logprobs([before_end], top_n=5)

    assert max(found, key=found.__getitem__) == stop


def test_loglikelihoods_are_near_those_of_the_live_model(
    runtime: LlamaCppRuntime, live: TransformersRuntime, trained: Trained
):
    prompts = [prefix for prefix in trained.live.prefixes[:6] for _n in range(3)]
    (letters,) = zip(*(runtime.tokens(letter) for letter in "ABC"), strict=True)

    found = runtime.loglikelihoods(prompts, [[token] for token in letters * 6])

    wanted = live.loglikelihoods(prompts, [[token] for token in letters * 6])
    # Float16 weights: 0.015 measured of `next_logprobs`.
    assert all(abs(a.sum - b.sum) < 0.05 for a, b in zip(found, wanted, strict=True))
    assert [one.is_greedy for one in found] == [one.is_greedy for one in wanted]
    assert {one.tokens for one in found} == {1}


def test_likelihood_of_a_longer_text_is_that_of_the_live_model(
    runtime: LlamaCppRuntime, live: TransformersRuntime, trained: Trained
):
    stop, half = trained.tuned.stop_ids[0], live.tokens("龘")[0]  # an end; a part of a character
    answers = [live.tokens("保固一年。"), [30, 31, stop], [half], [20, half, 20]]
    prompts = [trained.live.trained[n] for n in range(4)]

    found = runtime.loglikelihoods(prompts, answers)

    wanted = live.loglikelihoods(prompts, answers)
    # Float16 weights: 0.015 a token measured of `next_logprobs`.
    for ours, theirs in zip(found, wanted, strict=True):
        assert abs(ours.sum - theirs.sum) < 0.05 * theirs.tokens
        assert (ours.tokens, ours.is_greedy) == (theirs.tokens, theirs.is_greedy)


def test_likelihood_of_a_written_answer_is_greedy_all_along(
    runtime: LlamaCppRuntime, trained: Trained
):
    prompt = trained.live.trained[4]
    (made,) = runtime.generate([prompt], Decoding(4))
    other = [*made.ids[:3], made.ids[3] + 1]

    found = runtime.loglikelihoods([prompt, prompt], [made.ids, other])

    assert [one.is_greedy for one in found] == [True, False]


def test_likelihood_of_nothing_is_refused(runtime: LlamaCppRuntime):
    with pytest.raises(ValueError, match="neither a prompt nor a continuation"):
        runtime.loglikelihoods([[0, 20]], [[]])


def test_likelihood_of_the_greedy_token_says_so(runtime: LlamaCppRuntime, trained: Trained):
    prompt = trained.live.trained[4]
    (made,) = runtime.generate([prompt], Decoding(1))

    (found,) = runtime.loglikelihoods([prompt], [made.ids])

    assert found.is_greedy


def test_answers_are_those_of_the_live_model(
    runtime: LlamaCppRuntime, live: TransformersRuntime, trained: Trained
):
    decoding = Decoding(40, trained.tuned.stop_ids)

    found = runtime.generate(trained.live.trained, decoding)

    wanted = live.generate(trained.live.trained, decoding)
    assert [made.text for made in found] == [made.text for made in wanted]
    assert all(made.stopped for made in found)


def test_answer_cut_by_its_length_has_not_stopped(runtime: LlamaCppRuntime, trained: Trained):
    (made,) = runtime.generate(trained.live.trained[:1], Decoding(2))

    assert len(made.ids) == 2
    assert not made.stopped


def test_stop_string_ends_an_answer_and_is_not_part_of_it(
    runtime: LlamaCppRuntime, trained: Trained
):
    (made,) = runtime.generate(trained.live.trained[4:5], Decoding(40, (), (" dollars",)))

    assert made.text == "300"
    assert made.stopped


@pytest.mark.parametrize("most", [40, 2], ids=["before the last token", "at the last token"])
def test_stop_id_of_the_asker_ends_an_answer(runtime: LlamaCppRuntime, trained: Trained, most: int):
    answer = [label for label in trained.rows[4].labels if label != -100]

    (made,) = runtime.generate(trained.live.trained[4:5], Decoding(most, (answer[1],)))

    assert list(made.ids) == answer[:2]
    assert made.text == trained.tuned.encoder.tokenizer.decode(answer[:1])
    assert made.stopped


def test_every_answer_is_told(runtime: LlamaCppRuntime, trained: Trained):
    told: list[int] = []
    lock = threading.Lock()

    def on_batch(done: int) -> None:
        with lock:
            told.append(done)

    runtime.generate(trained.live.trained[:4], Decoding(2), on_batch=on_batch)

    assert sorted(told) == [1, 2, 3, 4]


def test_template_of_the_file_makes_the_trained_prompt(runtime: LlamaCppRuntime, trained: Trained):
    turns = [Turn("user", "多少錢？"), Turn("assistant", "三百元。"), Turn("user", "謝謝")]

    text = runtime.rendered(turns)

    encoder = trained.tuned.encoder
    assert encoder.ids(text) == encoder.prompt_ids(turns)


def test_adapter_over_the_base_file_is_the_tuned_model(
    trained: Trained, live: TransformersRuntime, tmp_path: Path
):
    tuned = trained.with_gguf(tmp_path)
    write_adapter(tuned, tmp_path / "adapter.gguf", dtype="f32")
    base = Path(str(tuned.base.gguf))

    with LlamaCppRuntime(base, tmp_path / "adapter.gguf", slots=2, context=128) as adapted:
        found = adapted.generate(trained.live.trained[:2], Decoding(40, tuned.stop_ids))
    with LlamaCppRuntime(base, slots=2, context=128) as plain:
        without = plain.generate(trained.live.trained[:2], Decoding(40, tuned.stop_ids))

    wanted = live.generate(trained.live.trained[:2], Decoding(40, tuned.stop_ids))
    assert [made.text for made in found] == [made.text for made in wanted]
    assert [made.text for made in without] != [made.text for made in wanted]


def test_file_that_is_no_model_is_told(tmp_path: Path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF but not really")

    with pytest.raises(ResourceError, match="cannot load the file") as error:
        LlamaCppRuntime(tmp_path / "model.gguf")

    assert error.value.problems[0].where == "model.gguf"


def test_prompt_longer_than_the_context_is_told(runtime: LlamaCppRuntime):
    with pytest.raises(ResourceError, match=r"llama\.cpp answered 400"):
        runtime.generate([[0, *[20] * 300]], Decoding(2))


def test_model_is_asked_over_a_socket_that_goes_with_it(file: Path):  # C70
    with LlamaCppRuntime(file, slots=1, context=128) as made:
        address = made._address
        assert address.scheme == "unix"
        assert Path(address.path).is_socket()

    assert not Path(address.path).parent.exists()


def test_server_that_breaks_off_is_told(file: Path):
    with LlamaCppRuntime(file, slots=1, context=128) as made:
        made._server = None  # its thread ends, and the socket with it

        with pytest.raises(ResourceError, match=r"llama\.cpp broke off") as error:
            made.generate([[0, 20]], Decoding(2))

    assert error.value.exit_code == 3


def test_a_runtime_that_is_asked_nothing_closes(file: Path):
    # In a process of its own: a server closed before its loops begin hangs and cannot be stopped.
    code = (
        "import sys; from pathlib import Path\n"
        "from foundry.runtime.llamacpp import LlamaCppRuntime\n"
        "for _ in range(60):\n    with LlamaCppRuntime(Path(sys.argv[1])): pass"
    )

    done = subprocess.run([sys.executable, "-c", code, str(file)], timeout=60, check=False)

    assert done.returncode == 0
