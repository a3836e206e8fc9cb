"""Every model family with its real class: opened, adapted, trained, and what its rows see."""

from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from foundry.core import plugins
from foundry.core.events import Event, Events
from foundry.core.records import EncodedRow
from foundry.core.rundir import RunDir
from foundry.delivery.artefact import Tuned
from foundry.delivery.exporters import merged
from foundry.encode.tokenize import IGNORED, encoder_of
from foundry.models.fetch import locate
from foundry.models.language_part import language_name
from foundry.models.load import load_model
from foundry.models.quiet import quiet
from foundry.models.tokenizer import load_tokenizer
from foundry.runtime.contract import Decoding
from foundry.runtime.transformers import TransformersRuntime
from foundry.train.adapters import lora
from foundry.train.batches import collate
from foundry.train.batches.arrange import Arrangement
from foundry.train.batches.packing import bears_padding, keeps_rows_apart
from foundry.train.inputs import FitInputs
from foundry.train.losses import supervised
from foundry.train.trainers import sft
from tests import tiny
from tests.cases import case, change
from tests.tiny_models import MODELS
from tests.tiny_run import SMALL, fast, metrics

# One model of each type; those left out differ in nothing but the template.
NAMES = {made.model_type: name for name, made in reversed(MODELS.items())}
LEAKING = {"qwen3.5", "qwen3.5-think", "granite-hybrid", "gpt-oss"}
# Long enough for the sliding windows of 32, and unequal.
FIRST, SECOND = tuple(range(100, 140)), tuple(range(300, 335))


@pytest.fixture(scope="module", params=NAMES.values())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("families") / name, name, tied=False)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_model(locate(str(folder), Path()))


def row(ids: tuple[int, ...], name: str = "row") -> EncodedRow:
    return EncodedRow(name, ids, (IGNORED, IGNORED, *ids[2:]))


def as_dict(row: EncodedRow) -> dict[str, Any]:
    return {"id": row.id, "input_ids": list(row.input_ids), "labels": list(row.labels)}


def test_every_family_has_a_tiny_model_of_each_of_its_types():
    families = plugins.names("family")

    assert {made.family for made in MODELS.values()} == set(families)
    for family in families:
        types = {made.model_type for made in MODELS.values() if made.family == family}
        assert set(plugins.load("family", family).MODEL_TYPES) == types


def test_folder_is_of_its_family_and_opened_as_its_class(name: str, folder: Path, model: Any):
    made = MODELS[name]

    base = locate(str(folder), Path())

    assert base.family == made.family
    assert base.context == 512
    assert type(model).__name__ == (made.loaded_class or made.model_class)


def test_language_part_has_the_weights_of_the_folder(folder: Path, model: Any):
    stored = load_file(folder / "model.safetensors")
    parts = ("language_model.", "model.", "language_model.")  # in one order or the other
    short = {reduce(str.removeprefix, parts, name): tensor for name, tensor in stored.items()}

    language = model.get_submodule(language_name(model)).state_dict()

    assert language
    assert [n for n, tensor in language.items() if not torch.equal(tensor, short[n])] == []


def by_hand(model: Any, row: EncodedRow) -> float:
    """Minus the log-probability of each supervised token after those before it, summed."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.input_ids])).logits[0].double()
    logprobs = logits - logits.exp().sum(-1, keepdim=True).log()
    terms = [-logprobs[t - 1, label] for t, label in enumerate(row.labels) if label != IGNORED]
    return float(sum(terms))


def shifted(labels: Any) -> list[int]:
    return [*labels[1:], IGNORED]


@case(
    "C15",
    {
        "labels are shifted before they are shifted": change(collate, "_without_first", shifted),
        "labels are not shifted": change(
            collate, "_without_first", lambda labels: [IGNORED, IGNORED, *labels[1:-1]]
        ),
    },
)
def test_loss_of_every_class_is_cross_entropy_written_out(model: Any):
    sequence = EncodedRow("case", (5, 6, 7, 8), (5, 6, 7, 8))
    rows = [replace(sequence, labels=(IGNORED, 6, 7, 8)), row(FIRST)]
    for one in rows:
        batch = collate.flat([as_dict(one)])

        with torch.no_grad():
            found = float(supervised.supervised_loss(model, batch))

        # Float32 sums of some 40 terms in another order.
        assert found == pytest.approx(by_hand(model, one), rel=1e-6)


def logits(model: Any, rows: list[tuple[int, ...]]) -> torch.Tensor:
    """Logits of every token of rows in one sequence, shape (tokens, vocabulary)."""
    batch = collate.flat([as_dict(row(ids)) for ids in rows])
    given = {key: batch[key] for key in ("input_ids", "position_ids")}
    with torch.no_grad():
        return model(**given, use_cache=False).logits[0]


def test_probe_finds_what_other_tokens_in_the_row_before_change(name: str, model: Any):  # C14
    before = logits(model, [FIRST, SECOND])[len(FIRST) :]
    after = logits(model, [tuple(reversed(FIRST)), SECOND])[len(FIRST) :]

    leaks = not torch.equal(before, after)

    assert leaks == (name in LEAKING)
    assert keeps_rows_apart(model, [row(FIRST), row(SECOND)]) != leaks
    assert bears_padding(model, [row(FIRST), row(SECOND)])


def test_answers_in_a_batch_are_those_of_each_prompt_alone(folder: Path, model: Any):  # C26
    runtime = TransformersRuntime(model, load_tokenizer(locate(str(folder), Path())))
    prompts = [list(FIRST[:3]), list(FIRST), list(SECOND[:9])]
    decoding = Decoding(max_new_tokens=6, stop_ids=(1,))

    together = [made.ids for made in runtime.generate(prompts, decoding)]

    assert together == [runtime.generate([prompt], decoding)[0].ids for prompt in prompts]


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of two steps in micro-batches of two rows, its events, and the weights before."""
    base, heard = locate(str(folder), Path()), list[Event]()
    with quiet():
        torch.manual_seed(0)
        model = lora.attach(load_model(base), SMALL)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    inputs = FitInputs(
        model=model,
        tokenizer=load_tokenizer(base),
        base=base,
        rows=[row(FIRST[:n], f"first-{n}") for n in (9, 12, 10, 40)] + [row(SECOND, "second")],
        stop_ids=(),
        run=RunDir(tmp_path_factory.mktemp("run")),
        events=Events([heard.append]),
        seed=0,
        arrangement=Arrangement("packed", micro_batch_size=2),
        steps=2,
    )
    return inputs, sft.fit(inputs, fast(2, warmup_ratio=0.0)), before, heard


def test_training_moves_exactly_the_update_of_the_language_part(name: str, trained: Any):
    inputs, result, before, _heard = trained
    language = f"base_model.model.{language_name(inputs.model.get_base_model())}."

    moved = {n for n, p in inputs.model.named_parameters() if not torch.equal(p, before[n])}

    updates = {n for n in before if ".lora_" in n}
    assert moved == updates
    assert updates
    assert all(n.startswith(language) for n in updates)
    assert result.proof["reload"]["largest_difference"] <= 1e-5


def test_merged_folder_is_the_trained_model(trained: Any, tmp_path: Path):
    inputs = trained[0]
    adapter = inputs.run.file("adapter")
    encoder = encoder_of(inputs.tokenizer, "{{ messages }}")
    tuned = Tuned(inputs.base, adapter, encoder, (1,), "Tiny")

    merged.write(tuned, merged.Spec(), tmp_path)

    found = logits(load_model(inputs.base, folder=tmp_path), [FIRST])
    live = logits(inputs.model.eval(), [FIRST])
    with inputs.model.disable_adapter():
        plain = logits(inputs.model, [FIRST])
    change = (plain - live).abs().max()
    assert change > 1e-3 * live.std()
    assert (found - live).abs().max() < 0.01 * change  # float32: B·A is added to a weight


def test_rows_that_would_see_each_other_are_passed_one_by_one(name: str, trained: Any):  # C14
    inputs, result, _before, heard = trained

    told = [event["event"] for event in heard if event["event"] == "unpacked"]

    assert told == (["unpacked"] if name in LEAKING else [])
    assert result.proof["loss"]["trainer"] == pytest.approx(
        result.proof["loss"]["by_hand"], rel=1e-5
    )
    assert [line["step"] for line in metrics(inputs.run)] == [1, 2]
