"""Tokens are found and hidden; words that only look like one are left alone (C78)."""

import pytest

from foundry.core import secrets

TOKENS = [
    "hf_TESTTOKEN0123456789",
    "hf_" + "aB3" * 11,
    "sk-proj-abc123def456ghi789",
    "ghp_0123456789abcdefghijABCDEFGHIJ",
    "AKIAIOSFODNN7EXAMPLE",
    "ya29.a0AfH6SMBx-0123456789abcdef",
    "AccountKey=" + "Ab1/" * 21,
    "-----BEGIN OPENSSH PRIVATE KEY-----",
]


@pytest.mark.parametrize("token", TOKENS)
def test_token_is_found_by_line_and_column(token):
    assert secrets.find(f"a: 1\nbase: {token}") == [(2, 7)]


@pytest.mark.parametrize("token", TOKENS)
def test_masked_text_lacks_the_token(token):
    assert secrets.mask(f"x={token};") == "x=***;"


@pytest.mark.parametrize(
    "word", ["hf_datasets", "sk-learn", "task-customer-service-2026", "hf_", "shelf_ABCDEFGH12"]
)
def test_common_word_is_no_token(word):
    assert secrets.find(word) == []


def test_value_of_a_setting_is_found_whatever_its_form(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "correct horse")

    assert secrets.find("a\nsay correct horse") == [(2, 5)]
