"""The settings that all trainers share."""

import pytest
from pydantic import ValidationError

from foundry.core import plugins
from foundry.train.settings import DEFAULT_EPOCHS, steps_for
from foundry.train.trainers.sft import Spec

TYPES = {"conversation", "language-modeling", "preference", "unpaired-preference"}


@pytest.mark.parametrize("kind", plugins.names("trainer"))
def test_every_trainer_says_which_data_it_reads(kind: str):
    assert set() < set(plugins.load("trainer", kind).ACCEPTS) <= TYPES


@pytest.mark.parametrize(
    ("spec", "rows", "steps"),
    [
        (Spec(max_steps=7), 100, 7),
        (Spec(epochs=2, global_batch_size=8), 16, 4),
        (Spec(epochs=2, global_batch_size=8), 17, 6),  # a step with the one row left over
        (Spec(epochs=0.5, global_batch_size=8), 40, 3),
        (Spec(global_batch_size=4), 8, 2 * DEFAULT_EPOCHS),
        (Spec(global_batch_size=8), 1, DEFAULT_EPOCHS),
    ],
)
def test_steps_follow_from_the_rows(spec: Spec, rows: int, steps: int):
    assert steps_for(spec, rows) == steps


def test_steps_and_epochs_together_are_refused():
    with pytest.raises(ValidationError, match="give `max_steps` or `epochs`, not both"):
        Spec(max_steps=5, epochs=1)


def test_no_length_means_three_epochs():
    assert Spec().epochs == DEFAULT_EPOCHS
    assert Spec(max_steps=5).epochs is None


def test_settings_that_are_no_mapping_are_refused():
    with pytest.raises(ValidationError):
        Spec.model_validate(["max_steps"])
