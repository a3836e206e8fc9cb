"""The GPU check trains both classes, four-bit and whole, on tiny shapes; without a GPU it skips."""

import sys

import pytest
import torch

from scripts import gpu_check


@pytest.mark.parametrize("name", ["gemma-3-12b", "llama-8b"])
@pytest.mark.parametrize("stored", gpu_check.STORED)
def test_shape_trains_with_its_proofs(name: str, stored: str):
    found = gpu_check.check(name, stored, 64, tiny=True)

    assert found["attention"] == "by row"
    assert found["loss"] == pytest.approx(found["by_hand"], rel=1e-4)
    assert found["tokens_per_s"] > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_skips_with_a_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])

    gpu_check.main()

    assert capsys.readouterr().out.startswith("skipped: there is no GPU")
