"""How far a student's next-token distributions are from a teacher's, without holding logits.

With p_T the teacher's distribution, p_S the student's and m = β p_T + (1 - β) p_S, the generalised
Jensen-Shannon divergence is β KL(p_T || m) + (1 - β) KL(p_S || m); forward KL is KL(p_T || p_S) and
reverse KL is KL(p_S || p_T). Sources: Agarwal et al. (2024), "On-Policy Distillation of Language
Models", equation 1, https://arxiv.org/abs/2306.13649; computed by TRL 1.16 in tiles of 4,096 tokens
by 32,768 of the vocabulary (`trl/kernels/chunked_divergence.py:371`).
"""

# S positions, H and G hidden widths of student and teacher

from dataclasses import dataclass
from typing import Literal

import torch

from foundry.train.losses.head import Head

Kind = Literal["forward-kl", "reverse-kl", "jsd"]
# As TRL's function tells them apart (`chunked_divergence.py:376`).
ENDS = {"forward-kl": 0.0, "reverse-kl": 1.0}


@dataclass(frozen=True)
class Measure:
    """Which divergence; `beta` is the teacher's share of the mixture of `jsd`, else not read.

    Both models' logits are divided by `temperature`.
    """

    kind: Kind
    beta: float = 0.5
    temperature: float = 1.0


def divergence(
    student_SH: torch.Tensor,
    student: Head,
    teacher_SG: torch.Tensor,
    teacher: Head,
    measure: Measure,
) -> torch.Tensor:
    """Sum over positions of the divergence in nats, a float32 scalar.

    Args:
        student_SH: What reaches the student's head; the gradient is its, and its head's.
        student: Its head.
        teacher_SG: What reaches the teacher's head at the same positions.
        teacher: Its head.
        measure: Which divergence.
    """
    from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

    # Rows of an embedding beyond the tokenizer's last id are no token's, and two models of one
    # tokenizer may have filled up to different numbers of them.
    both = min(len(student.weight_VH), len(teacher.weight_VH))
    each_S, _entropy_S = ChunkedDivergenceFunction.apply(
        student_SH,
        student.weight_VH[:both],
        None if student.bias_V is None else student.bias_V[:both],
        teacher_SG,
        teacher.weight_VH[:both],
        None if teacher.bias_V is None else teacher.bias_V[:both],
        ENDS.get(measure.kind, measure.beta),
        measure.temperature,
        student.scale,
        student.softcap,
        teacher.scale,
        teacher.softcap,
    )
    summed: torch.Tensor = each_S.sum()
    return summed


@torch.no_grad()
def by_hand(student_SV: torch.Tensor, teacher_SV: torch.Tensor, measure: Measure) -> float:
    """The same sum written out from logits, in float64: what `divergence` is held against."""
    both, beta = min(student_SV.shape[1], teacher_SV.shape[1]), measure.beta
    p_S = (student_SV[:, :both].double() / measure.temperature).log_softmax(dim=1)
    p_T = (teacher_SV[:, :both].double() / measure.temperature).log_softmax(dim=1)
    if measure.kind == "forward-kl":
        return float((p_T.exp() * (p_T - p_S)).sum())
    if measure.kind == "reverse-kl":
        return float((p_S.exp() * (p_S - p_T)).sum())
    m = (beta * p_T.exp() + (1 - beta) * p_S.exp()).log()
    to_teacher, to_student = p_T.exp() * (p_T - m), p_S.exp() * (p_S - m)
    return float((beta * to_teacher + (1 - beta) * to_student).sum())
