"""Rows are dealt out so that each is had once and none of the processes has much more to do."""

import pytest

from foundry.train.processes import crew
from foundry.train.processes.crew import ALONE, Crew, deal
from tests.cases import case, change


def to_the_first(costs: list[int], size: int) -> list[list[int]]:
    return [[*range(len(costs))], *([] for _ in range(size - 1))]


def to_all(costs: list[int], size: int) -> list[list[int]]:
    return [[*range(len(costs))] for _ in range(size)]


@case(
    "C72",
    {
        "every process has every row": change(crew, "deal", to_all),
        "the first has them all": change(crew, "deal", to_the_first),
    },
)
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("costs", [[5, 5, 5, 5], [90, 10, 30, 30, 20, 40, 7], [30, 30, 1]])
def test_rows_are_dealt_out_once_and_evenly(costs: list[int], size: int):
    shares = crew.deal(costs, size)
    loads = [sum(costs[index] for index in share) for share in shares]

    assert sorted(index for share in shares for index in share) == [*range(len(costs))]
    assert all(share == sorted(share) for share in shares)
    assert max(loads) - min(loads) <= max(costs, default=0)


def test_fewer_rows_than_processes_leave_some_without():
    assert deal([7], 2) == [[0], []]


def test_one_process_shares_with_nobody():
    assert ALONE.shares(["a", "b"], [1, 2]) == [["a", "b"]]
    assert ALONE.heard({"a": 1}) == [{"a": 1}]
    assert ALONE.is_first


def test_each_process_takes_its_own_share():
    rows, costs = ["a", "b", "c"], [4, 9, 5]

    assert Crew(1, 2, "ddp").shares(rows, costs) == [["b"], ["a", "c"]]
