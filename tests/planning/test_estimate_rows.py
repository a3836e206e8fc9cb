"""Rows of a recipe as the plan counts them: too long, not all looked at, sharing, held out."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.load import load_recipe
from foundry.planning import cost, hardware, telling
from foundry.planning.estimate.disk import disk
from foundry.planning.estimate.duration import work
from foundry.planning.estimate.flops import step_flops
from foundry.planning.estimate.job import job_of
from foundry.planning.estimate.memory import memory
from foundry.planning.estimate.rows import Rows, rows_of
from foundry.planning.forecast import forecast
from foundry.planning.shapes import KnownShape, known
from foundry.train.batches.documents import best_fit

LAPTOP = "cpu-laptop"
FORMAT = 'data.format={"kind": "text", "text": "text"}'
TOKEN = 1 / 0.8  # Chinese characters, as the plan guesses where there is no tokenizer
AROUND = 5  # tokens that it adds to each text


def texts(folder: Path, tokens: Sequence[int], *settings: str):
    """A recipe that goes on with pre-training on texts of so many tokens."""
    lines = [{"text": "字" * round((count - AROUND) * TOKEN)} for count in tokens]
    path = folder / "rows.json"
    path.write_text(json.dumps(lines), encoding="utf-8")
    given = (f"data.sources.0.path={path}", FORMAT, "data.tests=[]", "evals=[]", "gates=[]")
    train = ("train.kind=pretrain", "train.global_batch_size=4", "train.max_steps=40")
    return load_recipe("retail/customer-service", (*given, *train, *settings))


def counted(folder: Path, tokens: Sequence[int], *settings: str) -> Rows:
    return rows_of(texts(folder, tokens, *settings), None, folder / "work")


def job(folder: Path, tokens: Sequence[int], *settings: str):
    loaded = texts(folder, tokens, *settings)
    rows = rows_of(loaded, None, folder / "work")
    return job_of(loaded, shape(), rows, hardware.load_devices()[LAPTOP])


def shape() -> KnownShape:
    return known("smollm2-135m", Path())


@pytest.mark.parametrize(
    ("overlong", "rows", "tokens", "longest"),
    # The longest by the most tokens that a character may take: 1.5 for each of 369, and 5.
    [("drop", 90, 27_000, 558), ("split", 190, 227_000, 2048), ("fail", 90, 27_000, 558)],
)
def test_texts_over_the_limit_count_as_what_is_trained_of_them(
    tmp_path: Path, overlong: str, rows: int, tokens: int, longest: int
):
    given = [300] * 90 + [20_000] * 10

    found = counted(tmp_path, given, "encode.max_seq_len=2048", f"encode.overlong={overlong}")

    assert found.count == rows
    assert found.count * found.tokens.expected == pytest.approx(tokens, rel=0.01)
    assert found.longest == longest


def test_conversation_that_loses_its_beginning_is_as_long_as_may_be(tmp_path: Path):
    lines = [{"ask": "問" * asked, "say": "答" * 20} for asked in [40] * 9 + [4000]]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(lines), encoding="utf-8")
    settings = (
        f"data.sources.0.path={path}",
        'data.format={"kind": "question-answer", "question": "ask", "answer": "say"}',
        "encode.max_seq_len=512",
        "encode.overlong=cut-prompt-left",
    )

    found = rows_of(load_recipe("retail/customer-service", settings), None, tmp_path / "work")

    short = 0.8 * 60 + 2 * AROUND
    assert (found.count, found.longest) == (10, 512)
    assert found.tokens.expected == pytest.approx((9 * short + 512) / 10)
    assert found.supervised.expected == pytest.approx(0.8 * 20 + 1)


def test_documents_share_places_by_their_own_lengths(tmp_path: Path):
    given = [100, 1500, 700, 1900, 400, 2000, 1100, 300] * 10
    found = counted(tmp_path, given, "encode.max_seq_len=2048")

    assert found.places == len(best_fit(given, max_seq_len=2048))
    made = job(tmp_path, given, "encode.max_seq_len=2048")
    assert made.global_batch_size == round(4 * len(given) / found.places)


def test_row_that_was_not_looked_at_stands_in_the_upper_bound_alone(tmp_path: Path):
    given, limit = [100] * 300, "encode.max_seq_len=2048"
    seen, not_all = (replace(counted(tmp_path, given[:n], limit), places=None) for n in (200, 300))
    assert (seen.most, not_all.most) == (0, 2048)

    device, loaded = hardware.load_devices()[LAPTOP], texts(tmp_path, given, limit)
    some, every = (
        memory(job_of(loaded, shape(), replace(not_all, most=most), device), "cpu")
        for most in (0, 2048)
    )

    assert every.total.expected == some.total.expected
    assert every.total.high > 1.5 * some.total.high
    assert every.total.high == pytest.approx(sum(one.high for one in every.parts.values()))


def test_measuring_on_held_rows_takes_time(tmp_path: Path):
    given = [100] * 200
    settings = ("train.epochs=1", "train.max_steps=null", "train.evaluate_every=1")
    split = "data.split={validation: 0.2}"
    without, held = (job(tmp_path, given, *settings, *more) for more in ((), (split,)))

    assert held.rows.held == 40
    assert held.measured == held.steps == 8
    flops, backend = step_flops(held), "cpu"
    forward = (flops.update + 2 * held.shape.active_weights * held.step_tokens) / 3
    rows = held.rows.held * held.measured
    assert flops.validation > 0.9 * forward * rows / held.global_batch_size / held.steps
    assert step_flops(without).validation == 0
    one, two = (work(made, backend) for made in (without, held))
    # 160 rows learned, 4 operations a weight; 40 measured eight times, 2 a weight.
    ratio = two.operations / held.steps / (one.operations / without.steps)
    assert ratio == pytest.approx(1 + 8 * 40 * 2 / (160 * 4), rel=0.1)
    assert two.calls / held.steps > one.calls / without.steps


def test_file_of_validation_rows_is_counted(tmp_path: Path):
    (tmp_path / "held.json").write_text(json.dumps([{"text": "字"}] * 7), encoding="utf-8")
    place = f"data.validation=[{{path: {tmp_path / 'held.json'}}}]"

    assert counted(tmp_path, [100] * 9, place).held == 7


def test_archives_of_validation_rows_are_counted(tmp_path: Path):
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("held.json", json.dumps([{"text": "字"}] * 3))
    place = f"data.validation=[{{path: {tmp_path / '*.zip'}}}]"

    assert counted(tmp_path, [100] * 9, place).held == 6


def test_data_and_shards_are_on_the_disk_too(tmp_path: Path):
    small, large = (disk(job(tmp_path, [tokens] * 100)).parts for tokens in (50, 500))

    assert large["shards"] > 9 * small["shards"]
    written = 100 * (500 - AROUND) * TOKEN * 3  # bytes of Chinese in UTF-8
    assert large["data"] > 2 * written


@pytest.mark.parametrize("kind", ["sft", "distill", "grpo", "reward", "dpo", "full"])
def test_every_part_of_a_forecast_is_told(tmp_path: Path, kind: str):
    further = {
        "distill": ("train.kind=distill", "train.teacher=smollm2-135m"),
        "grpo": (
            "train.kind=grpo",
            "train.rewards=[{kind: length, free_tokens: 4, max_tokens: 9}]",
            "train.beta=0.1",
        ),
        "reward": ("train.kind=reward",),
        "dpo": ("train.kind=dpo",),
        "full": ("adapter.kind=full",),
    }.get(kind, ())
    loaded = load_recipe("retail/customer-service", ("train.max_steps=3", *further))
    rows = rows_of(loaded, None, tmp_path / "work")
    for name in (LAPTOP, "rtx-4090"):
        device = hardware.load_devices()[name]
        made = forecast(loaded, device, cost.rates(device, hardware.load_prices()), shape(), rows)

        table = telling.rows(made, device)

        parts = [line for line in table if line[0].startswith("memory, MiB")]
        assert len(parts) == len(made.memory.parts)
        told = sum(float(line[2].replace(",", "")) for line in table if "TFLOP:" in line[0])
        assert told == pytest.approx(made.operations / 1e12, abs=0.6)


def test_memory_is_that_of_the_largest_pack_that_is_tried(tmp_path: Path):
    settings = ("train.max_steps=60", "train.micro_batch_size=16", "train.global_batch_size=16")
    loaded = load_recipe("retail/customer-service", settings)
    rows = replace(rows_of(loaded, None, tmp_path / "work"), longest=200)
    device = hardware.load_devices()[LAPTOP]
    rates = cost.rates(device, hardware.load_prices())
    small = device.model_copy(update={"memory_gb": 4.0})

    tried, tight = (forecast(loaded, one, rates, shape(), rows) for one in (device, small))
    fewer = load_recipe("retail/customer-service", (*settings, "train.max_steps=59"))
    short = forecast(fewer, device, rates, shape(), rows)

    assert (tried.job.pack_tokens, tried.job.tried_pack) == (512, 2048)
    assert short.job.tried_pack == 0
    extra = tried.memory.total.expected - short.memory.total.expected
    assert extra > 2 * short.memory.parts["activations"].expected
    assert tight.job.pack_tokens <= tight.job.tried_pack < 2048
    assert tight.memory.total.high <= tight.usable_bytes
    scarce = device.model_copy(update={"memory_gb": 2.6})
    barely = forecast(loaded, scarce, rates, shape(), rows)
    assert barely.is_tight
    assert barely.job.tried_pack == barely.job.pack_tokens  # and no other
