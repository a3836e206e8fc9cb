"""A parity record hands an artefact over only if every check in it passes."""

from typing import Any

import pytest

from foundry.delivery.parity_record import NEEDED, failures

GOOD: dict[str, Any] = {
    "runtime": "llama.cpp",
    "tolerance": {"max": 0.2, "mean": 0.02, "greedy": 0.9},
    "texts": 10,
    "texts_with_other_ids": [],
    "prompts_with_other_ids": [],
    "prefixes": 43,
    "largest_logprob_difference": 0.2,
    "mean_logprob_difference": 0.02,
    "greedy_prompts": 10,
    "greedy_same": 9,
    "stopped": 8,
    "stop_prompts": 8,
    "stop_ids_missing": [],
    "tensor_difference": 1.0,
    "update_difference": 1e-3,
}
BAD = {
    "texts split into other ids": {"texts_with_other_ids": ["臺北"]},
    "the template in the file makes other prompts": {"prompts_with_other_ids": ["x"]},
    "the file has another template": {"template_is_trained": False},
    "log-probabilities of the next token differ": {"largest_logprob_difference": 0.201},
    "greedy answers differ": {"greedy_same": 8},
    "it does not stop after the answer": {"stopped": 7},
    "stop ids are missing in the file": {"stop_ids_missing": [106]},
    "tensors differ from the merged weights": {"tensor_difference": 1.01},
    "the update differs in scale or value": {"update_difference": 1.1e-3},
}


def test_record_at_its_limits_passes():
    assert failures("gguf-f16", GOOD) == []


@pytest.mark.parametrize(("what", "change"), BAD.items(), ids=BAD)
def test_check_that_fails_is_named(what: str, change: dict[str, Any]):  # C30-C40
    (problem,) = failures("gguf-f16", {**GOOD, **change})

    assert problem.where == "export.gguf-f16"
    assert problem.what.startswith(what)
    assert str(next(iter(change.values()))) in problem.what


def test_mean_over_its_limit_fails_though_the_largest_is_within():
    (problem,) = failures("a", {**GOOD, "mean_logprob_difference": 0.021})

    assert problem.what.startswith("log-probabilities")


NOT_A_NUMBER = [k for k, v in GOOD.items() if k.endswith("_difference") and isinstance(v, float)]


@pytest.mark.parametrize("key", NOT_A_NUMBER)
def test_difference_that_is_not_a_number_fails(key: str):
    assert len(failures("a", {**GOOD, key: float("nan")})) == 1


def test_every_failure_is_told_at_once():
    changes = {key: value for change in BAD.values() for key, value in change.items()}

    assert len(failures("a", {**GOOD, **changes})) == len(BAD)


@pytest.mark.parametrize("key", NEEDED)
def test_record_without_a_check_is_no_proof(key: str):
    (problem,) = failures("a", {k: v for k, v in GOOD.items() if k != key})

    assert problem.what == f"the parity record lacks {key}"


def test_optional_checks_may_be_absent():
    optional = ("stop_ids_missing", "tensor_difference", "update_difference")

    assert failures("adapter", {k: v for k, v in GOOD.items() if k not in optional}) == []
