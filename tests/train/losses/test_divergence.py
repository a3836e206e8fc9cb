"""Divergences of a student from a teacher, against their formulas and their gradients."""

import math

import pytest
import torch

from foundry.train.losses.divergence import Kind, Measure, by_hand, divergence
from foundry.train.losses.head import Head

POSITIONS, STUDENT, TEACHER, VOCABULARY = 5, 8, 12, 37


def heads(cap: float | None = None, filled_up: int = 0) -> tuple[torch.Tensor, ...]:
    made = torch.Generator().manual_seed(3)
    shapes = (POSITIONS, STUDENT), (VOCABULARY, STUDENT), (POSITIONS, TEACHER)
    shapes = (*shapes, (VOCABULARY + filled_up, TEACHER))
    return tuple(torch.randn(shape, generator=made) for shape in shapes)


def logits(hidden: torch.Tensor, head: Head) -> torch.Tensor:
    found = hidden @ head.weight_VH.T * head.scale
    return found if head.softcap is None else head.softcap * torch.tanh(found / head.softcap)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize(
    ("kind", "beta"), [("forward-kl", 0.5), ("reverse-kl", 0.5), ("jsd", 0.5), ("jsd", 0.2)]
)
def test_divergence_is_its_formula_and_so_is_its_gradient(kind, beta, cap, temperature):
    student_SH, weight, teacher_SG, teacher_weight = heads()
    student_SH.requires_grad_()
    student, teacher = Head(weight, None, 0.7, cap), Head(teacher_weight, None, 1.0, None)
    measure = Measure(kind, beta, temperature)

    found = divergence(student_SH, student, teacher_SG, teacher, measure)
    found.backward()

    said = logits(teacher_SG, teacher)
    expected = by_hand(logits(student_SH, student), said, measure)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    step = 1e-3
    for at in ((0, 0), (4, 7)):
        moved = student_SH.detach().double().clone()
        moved[at] += step
        more = by_hand(logits(moved, doubled(student)), said, measure)
        moved[at] -= 2 * step
        less = by_hand(logits(moved, doubled(student)), said, measure)
        slope = (more - less) / (2 * step)
        assert float(student_SH.grad[at]) == pytest.approx(slope, abs=1e-4)


def doubled(head: Head) -> Head:
    return Head(head.weight_VH.double(), None, head.scale, head.softcap)


def test_two_tokens_give_what_paper_and_pencil_give():
    one = torch.ones(1, 1)
    student = Head(torch.tensor([[math.log(0.5)], [math.log(0.5)]]), None, 1.0, None)
    teacher = Head(torch.tensor([[math.log(0.75)], [math.log(0.25)]]), None, 1.0, None)

    def of(kind: Kind) -> float:
        return float(divergence(one, student, one, teacher, Measure(kind)))

    assert of("forward-kl") == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), abs=1e-6)
    assert of("reverse-kl") == pytest.approx(
        0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25), abs=1e-6
    )
    m = (0.625, 0.375)  # half and half
    of_teacher = 0.75 * math.log(0.75 / m[0]) + 0.25 * math.log(0.25 / m[1])
    of_student = 0.5 * math.log(0.5 / m[0]) + 0.5 * math.log(0.5 / m[1])
    assert of("jsd") == pytest.approx((of_teacher + of_student) / 2, abs=1e-6)


@pytest.mark.parametrize("kind", ["forward-kl", "reverse-kl", "jsd"])
def test_equal_distributions_are_not_apart(kind: Kind):
    student_SH, weight, *_rest = heads()
    head = Head(weight, None, 1.0, None)

    assert float(divergence(student_SH, head, student_SH, head, Measure(kind))) == pytest.approx(
        0, abs=1e-5
    )


def test_ids_that_no_token_has_count_for_nothing():
    student_SH, weight, teacher_SG, longer = heads(filled_up=6)
    student, cut = Head(weight, None, 1.0, None), Head(longer[:VOCABULARY], None, 1.0, None)
    whole = Head(longer, None, 1.0, None)

    found = divergence(student_SH, student, teacher_SG, whole, Measure("forward-kl"))

    assert found == divergence(student_SH, student, teacher_SG, cut, Measure("forward-kl"))
