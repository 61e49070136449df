"""The device asked for, batches in order, and the ways out when memory is short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import Cancelled, ConfigError, OutOfMemory
from grisaille.core.run import Precision, Progress, Run
from grisaille.nn.device import autocast, describe, full_float32, in_batches, is_out_of_memory, resolve_device

pytestmark = pytest.mark.ai
torch = pytest.importorskip("torch")

CPU = torch.device("cpu")
ACCELERATOR = torch.device("meta")  # a device that every computer has and that is not the CPU


def images(count: int) -> list[torch.Tensor]:
    return [torch.full((3, 4, 5), float(i)) for i in range(count)]


def numbers(batch: torch.Tensor) -> list[int]:
    return [int(value) for value in batch[:, 0, 0, 0]]


class Scarce:
    """A forward pass whose allocator refuses ``times`` times on the device that is scarce."""

    def __init__(self, times: float, scarce: Callable[[torch.Tensor], bool] = lambda _: True) -> None:
        self.left, self.scarce, self.tried = times, scarce, list[tuple[str, int]]()

    def __call__(self, batch: torch.Tensor) -> list[int]:
        self.tried.append((batch.device.type, len(batch)))
        if self.left > 0 and self.scarce(batch):
            self.left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return [0] * len(batch) if batch.is_meta else numbers(batch)


def run_through(forward: Scarce, count: int, batch: int, device: torch.device = CPU) -> tuple[list[int], list[str]]:
    notes: list[str] = []
    run = Run(on_note=notes.append)
    results = in_batches(images(count), forward, batch=batch, run=run, what="scoring", device=device)
    return [number for result in results for number in result], notes


@given(count=st.integers(0, 13), batch=st.integers(1, 6), failures=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_every_item_is_computed_once_and_in_order_whatever_fails(count: int, batch: int, failures: int) -> None:
    forward = Scarce(failures, scarce=lambda images: len(images) > 1)
    found, _ = run_through(forward, count, batch)
    assert found == list(range(count))


def test_out_of_memory_once_halves_the_batch_for_the_rest() -> None:
    forward = Scarce(1)
    found, notes = run_through(forward, 6, batch=4)
    assert found == list(range(6))
    assert [size for _, size in forward.tried] == [4, 2, 2, 2]
    assert notes == ["CPU ran out of memory with 4 images at a time; going on with 2"]


def test_out_of_memory_twice_halves_twice() -> None:
    forward = Scarce(2)
    found, notes = run_through(forward, 5, batch=4)
    assert found == list(range(5))
    assert [size for _, size in forward.tried] == [4, 2, 1, 1, 1, 1, 1]
    assert len(notes) == 2


def test_out_of_memory_always_is_one_of_our_errors() -> None:
    forward = Scarce(float("inf"))
    with pytest.raises(OutOfMemory, match="close other programs"):
        run_through(forward, 5, batch=4)
    assert [size for _, size in forward.tried] == [4, 2, 1]


def test_a_device_that_never_has_enough_hands_over_to_the_cpu_and_says_so() -> None:
    forward = Scarce(float("inf"), scarce=lambda batch: batch.is_meta)
    found, notes = run_through(forward, 6, batch=4, device=ACCELERATOR)
    assert found == list(range(6))
    assert forward.tried == [("meta", 4), ("meta", 2), ("meta", 1), ("cpu", 4), ("cpu", 2)]
    assert "going on with the CPU" in notes[-1]


def test_each_device_that_gave_results_is_told_once_and_no_other() -> None:
    def ran_on(times: float, scarce: Callable[[torch.Tensor], bool]) -> list[str]:
        told: list[str] = []
        batches = in_batches(
            images(6), Scarce(times, scarce), batch=2, run=Run(on_device=told.append), what="", device=ACCELERATOR
        )
        assert not told
        list(batches)
        return told

    assert ran_on(0, lambda batch: True) == ["meta"]
    assert ran_on(1, lambda batch: batch.is_meta) == ["meta"]  # half a batch was small enough
    assert ran_on(float("inf"), lambda batch: batch.is_meta) == ["cpu"]


def test_device_and_cpu_without_memory_end_in_an_error() -> None:
    forward = Scarce(float("inf"))
    with pytest.raises(OutOfMemory):
        run_through(forward, 6, batch=2, device=ACCELERATOR)
    assert forward.tried == [("meta", 2), ("meta", 1), ("cpu", 2), ("cpu", 1)]


def test_a_failed_attempt_keeps_no_memory() -> None:
    import gc
    import weakref

    kept: list[weakref.ref[torch.Tensor]] = []

    def forward(batch: torch.Tensor) -> int:
        assert all(earlier() is None for earlier in kept)
        kept.append(weakref.ref(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("once")
        return len(batch)

    gc.disable()  # references alone have to free it, as the garbage collector may come too late
    try:
        assert sum(in_batches(images(4), forward, batch=4, run=Run(), what="", device=CPU)) == 4
    finally:
        gc.enable()


def test_other_errors_pass_through() -> None:
    def forward(batch: torch.Tensor) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        list(in_batches(images(2), forward, batch=2, run=Run(), what="", device=CPU))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_all_ways_of_saying_out_of_memory_are_known(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_the_allocator_of_the_cpu_is_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**16)
    assert is_out_of_memory(caught.value)


def test_progress_counts_items_that_were_computed() -> None:
    steps: list[Progress] = []
    computed = 0

    def forward(batch: torch.Tensor) -> int:
        nonlocal computed
        assert (steps[-1].done if steps else 0) <= computed
        computed += len(batch)
        return len(batch)

    list(in_batches(images(5), forward, batch=2, run=Run(on_progress=steps.append), what="scoring", device=CPU))
    assert [step.done for step in steps] == [0, 1, 2, 3, 4, 5]
    assert {(step.what, step.total) for step in steps} == {("scoring", 5)}


def test_cancelling_stops_before_the_next_batch_even_while_items_are_made() -> None:
    cancelled, made = False, 0

    def slices() -> Iterator[torch.Tensor]:
        nonlocal cancelled, made
        for made, image in enumerate(images(20), start=1):
            cancelled = made == 6
            yield image

    results = in_batches(slices(), numbers, batch=4, run=Run(is_cancelled=lambda: cancelled), what="", device=CPU)
    assert next(results) == [0, 1, 2, 3]
    with pytest.raises(Cancelled):
        next(results)
    assert made == 6


def test_items_are_taken_lazily() -> None:
    taken: list[int] = []

    def slices() -> Iterator[torch.Tensor]:
        for i, image in enumerate(images(9)):
            taken.append(i)
            yield image

    next(in_batches(slices(), numbers, batch=3, run=Run(), what="", device=CPU))
    assert taken == [0, 1, 2]


def test_the_caller_does_not_find_itself_in_inference_mode() -> None:
    inside = []

    def forward(batch: torch.Tensor) -> None:
        inside.append(torch.is_inference_mode_enabled())
        assert batch.is_contiguous(memory_format=torch.channels_last)

    for _ in in_batches(images(3), forward, batch=2, run=Run(), what="", device=CPU):
        assert not torch.is_inference_mode_enabled()
    assert inside == [True, True]


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "", "cpu:1"])
def test_unknown_devices_are_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu"):
        resolve_device(Run(device=device))


def test_absent_devices_are_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match="choose auto or cpu"):
        resolve_device(Run(device="cuda:99"))
    if not torch.backends.mps.is_available():
        with pytest.raises(ConfigError, match="choose auto or cpu"):
            resolve_device(Run(device="mps"))


def test_auto_takes_the_best_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device(Run()) == CPU
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device(Run()) == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device(Run()) == torch.device("cuda", 0)
    assert resolve_device(Run(device="cuda:1")) == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="finds 2 CUDA devices"):
        resolve_device(Run(device="cuda:2"))


def test_devices_are_called_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    assert describe(torch.device("cuda:0")) == "NVIDIA H100 (cuda:0)"
    assert describe(torch.device("mps")) == "Apple GPU (mps)"
    assert describe(CPU) == "CPU"


@pytest.mark.parametrize("precision", list(Precision))
def test_the_precision_asked_for_is_the_precision_computed_in(precision: Precision) -> None:
    layer = torch.nn.Conv2d(3, 2, 1)
    with torch.inference_mode(), autocast(Run(precision=precision), CPU):
        assert layer(torch.zeros(1, 3, 4, 4)).dtype is getattr(torch, precision.value)


def test_float32_on_the_cpu_needs_no_context() -> None:
    assert isinstance(autocast(Run(), CPU), nullcontext)


def test_full_float32_switches_tf32_off_and_back_and_convolutions_work_within() -> None:
    from torch.backends import cuda, cudnn

    def modes() -> list[str]:
        return [part.fp32_precision for part in (cudnn.conv, cudnn.rnn, cuda.matmul)]

    before = modes()
    with full_float32():
        assert modes() == ["ieee"] * 3
        torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 3, 3))
    assert modes() == before
    with pytest.raises(ZeroDivisionError), full_float32():
        raise ZeroDivisionError
    assert modes() == before


def test_float32_on_cuda_is_full_float32() -> None:
    from torch.backends import cudnn

    with autocast(Run(), torch.device("cuda")):
        assert cudnn.conv.fp32_precision == "ieee"


def test_slabs_come_in_batches_as_slices_do_and_only_those_of_one_shape() -> None:
    shapes = [(2, 4, 3, 5)] * 3 + [(2, 4, 3, 7)] * 2
    slabs = [torch.full(shape, float(i)) for i, shape in enumerate(shapes)]
    seen: list[tuple[int, ...]] = []

    def forward(batch: torch.Tensor) -> list[int]:
        seen.append(tuple(batch.shape))
        return [int(value) for value in batch[:, 0, 0, 0, 0]]

    found = in_batches(slabs, forward, batch=2, run=Run(), what="", device=CPU)
    assert [number for result in found for number in result] == [0, 1, 2, 3, 4]
    assert seen == [(2, 2, 4, 3, 5), (1, 2, 4, 3, 5), (2, 2, 4, 3, 7)]
