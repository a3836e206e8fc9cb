"""kto, grpo, distill, reward, pretrain: two processes learn what one does, also after a kill."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from foundry.train.losses import grouped, noise
from foundry.train.losses.unpaired import UnpairedTrainer
from foundry.train.processes import crew
from tests import crew_run, tiny, tiny_recipe
from tests.cases import case, change
from tests.end_to_end import test_reward
from tests.end_to_end.test_preferences import laid_out
from tests.faults import small
from tests.once import once
from tests.tiny_recipe import TinyRecipe
from tests.train.processes.test_processes import (
    HEALTHY,
    TWO,
    apart,
    struck,
    told,
    weights,
)

SHORT = {"max_steps": 4, "checkpoint_every": 2, "global_batch_size": 5, "micro_batch_size": 2}
# A random model says anything; which letters are among it differs from answer to answer.
LETTERS = {"kind": "required-facts", "required": "應含", "credit": "share"}
DRAWING = {"group_size": 4, "max_new_tokens": 8, "temperature": 20, "scale_rewards": "batch"}


def judged(folder: Path, base: Path) -> TinyRecipe:
    """Mostly good answers, so that the model moves towards them and the point is above 0."""
    made = laid_out(folder, base, "kto")
    rows = [
        {
            "prompt": f"售價{n}？",
            "completion": "三百元。" if n % 4 else "不知道。",
            "label": n % 4 > 0,
        }
        for n in range(12)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (made.folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    text = json.loads(made.file.read_text(encoding="utf-8"))
    made.file.write_text(json.dumps({**text, "train": {**text["train"], **SHORT}}), "utf-8")
    return made


def drawn(folder: Path, base: Path) -> TinyRecipe:
    train = {"kind": "grpo", "rewards": [LETTERS], "learning_rate": 1e-2, "beta": 0.1}
    train |= {**SHORT, **DRAWING, "global_batch_size": 3}
    made = tiny_recipe.lay_out(folder / "tiny", base, **{**small.SMALL, "train": train})
    lines = ["問題,回答,應含", *(f"第{n}題？,好。,a|e|i|o|n|s|t|元|一" for n in range(12))]
    (made.folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def taught(folder: Path, base: Path) -> TinyRecipe:
    train = {**SHORT, "kind": "distill", "teacher": "teacher", "learning_rate": 1e-2}
    made = tiny_recipe.lay_out(folder / "tiny", base, **{**small.SMALL, "train": train})
    tiny.build(made.folder / "teacher", "llama", seed=7)
    return made


def ranked(folder: Path, base: Path) -> TinyRecipe:
    # AdamW makes a rounding of a gradient near zero as large as the rate, and 1e-4 is allowed.
    train = {**test_reward.TRAIN, **SHORT, "learning_rate": 2e-3}
    exports = [{"kind": "adapter"}]
    return test_reward.laid_out(folder / "tiny", base, train=train, exports=exports)


def texts(folder: Path, base: Path) -> TinyRecipe:
    """Plain texts of different length, every token of which is learned."""
    train = {**SHORT, "kind": "pretrain", "learning_rate": 2e-3}
    source = {**tiny_recipe.RECIPE["data"]["sources"][0], "path": "texts.csv"}
    data = {"sources": [source], "format": {"kind": "text"}}
    values = {**small.SMALL, "train": train, "data": data, "evals": []}
    made = tiny_recipe.lay_out(folder / "tiny", base, **values)
    lines = ["text", *("電風扇保固一年。" * (1 + n % 3) + f"售價{n}元" for n in range(12))]
    (made.folder / "texts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


Lay = Callable[[Path, Path], TinyRecipe]
WAYS: Mapping[str, Lay] = {
    **{"kto": judged, "grpo": drawn, "distill": taught, "reward": ranked, "pretrain": texts}
}


@pytest.fixture(scope="session")
def made(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """By trainer, a run that one process trained (`one`), and the same encoded for two (`two`)."""

    def of(kind: str) -> Path:
        def build(folder: Path) -> None:
            one, two = (WAYS[kind](folder / name, tiny_base) for name in ("one", "two"))
            small.again(one, "--until", "train")
            small.again(two, "--until", "encode", *TWO)

        return once(tmp_path_factory, f"made-{kind}", build)

    return of


def check_equal(folder: Path, tmp_path: Path, names: Sequence[str]) -> None:
    """Two processes, of which one is killed and both begun again, come to what one came to.

    Under a mutant nobody is killed.
    """
    one, two = (TinyRecipe(folder / name / "tiny") for name in ("one", "two"))
    two = two.copy(tmp_path / os.urandom(4).hex())
    if crew_run.fault is HEALTHY:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(crew_run, "fault", struck)
            ended = crew_run.train([two.run, two.run])
        assert [one.get("error") for one in ended] == ["lost", None], ended

    ended = crew_run.train([two.run, two.run])

    assert [one.get("error") for one in ended] == [None, None], ended
    for name in names:
        assert told(two.run, name) == pytest.approx(told(one.run, name), rel=1e-4, abs=1e-5), name
    found, expected = weights(two.run), weights(one.run)
    # The same float32 numbers, added in another order.
    assert max(float((found[name] - expected[name]).abs().max()) for name in expected) < 1e-4


def own_point(rank: int) -> None:
    """Each process measures gains and losses from its own rows."""
    kl = UnpairedTrainer._kl

    def of_own(self: Any, model: Any, rows: Any) -> Any:
        own = self.crew.shares(rows, [len(row["input_ids"]) for row in rows])[self.crew.rank]
        shared, self.crew = self.crew, crew.ALONE
        try:
            return kl(self, model, own)
        finally:
            self.crew = shared

    UnpairedTrainer._kl = of_own


@case("C72", {"each measures from its own rows": change(crew_run, "fault", own_point)})
def test_two_processes_measure_answers_from_one_point(made: Any, tmp_path: Path):
    folder = made("kto")

    assert max(told(TinyRecipe(folder / "one" / "tiny").run, "kl")) > 0.01
    check_equal(folder, tmp_path, ["loss", "kl", "grad_norm"])


def own_numbers(rank: int) -> None:
    """Each process numbers the questions that it draws answers to from 0."""
    grouped.seeds_of = lambda seed, step, groups: noise.seeds_of(seed, step, range(len(groups)))


@case("C72", {"noise is by process": change(crew_run, "fault", own_numbers)})
def test_two_processes_draw_and_learn_the_answers_that_one_does(made: Any, tmp_path: Path):
    names = ["loss", "reward", "reward_std", "answer_tokens", "stopped", "kl", "entropy"]
    check_equal(made("grpo"), tmp_path, names)


def test_two_processes_learn_from_a_teacher_what_one_does(made: Any, tmp_path: Path):  # C72
    check_equal(made("distill"), tmp_path, ["loss", "grad_norm"])


@case("C72", {"gradients stay apart": change(crew_run, "fault", apart)})
def test_two_processes_learn_the_rewards_that_one_does(made: Any, tmp_path: Path):
    names = ["loss", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/accuracies"]
    check_equal(made("reward"), tmp_path, names)


@case("C72", {"gradients stay apart": change(crew_run, "fault", apart)})
def test_two_processes_learn_the_texts_that_one_does(made: Any, tmp_path: Path):
    check_equal(made("pretrain"), tmp_path, ["loss", "grad_norm"])


def test_texts_are_learned_in_parts_as_by_one(tiny_base: Path, tmp_path: Path):
    one, two = (texts(tmp_path / name, tiny_base) for name in ("one", "two"))
    small.again(one, "--until", "train")
    small.again(two, "--until", "encode", *TWO, "--set", "compute.strategy=fsdp2")

    ended = crew_run.train([two.run, two.run])

    assert [each.get("error") for each in ended] == [None, None], ended
    assert told(two.run, "loss") == pytest.approx(told(one.run, "loss"), rel=1e-5)
