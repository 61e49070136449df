"""Processes that learn together learn what one alone would."""

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.ai

from grisaille.methods.autopaint.stretches import Stretches  # noqa: E402 - needs torch


@pytest.mark.parametrize("processes", [1, 2, 3, 6])
@pytest.mark.parametrize("stretch", [0, 1, 7])
def test_the_parts_of_all_processes_are_each_step_of_one(processes, stretch):
    sampler = Stretches(steps=5, batch=6)
    sampler.set_epoch(stretch)
    alone = sampler.numbers(0, 1)
    parts = [sampler.numbers(rank, processes) for rank in range(processes)]
    share = 6 // processes
    for step in range(5):
        together = [number for part in parts for number in part[step * share : (step + 1) * share]]
        assert sorted(together) == alone[step * 6 : (step + 1) * 6]
    assert sum(map(len, parts)) == len({number for part in parts for number in part})


def test_stretches_follow_each_other_without_gap_or_repeat():
    sampler = Stretches(steps=4, batch=3)
    numbers = []
    for stretch in range(3):
        sampler.set_epoch(stretch)
        assert len(sampler) == 12
        numbers += list(sampler)
    assert numbers == list(range(36))
