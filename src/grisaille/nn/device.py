"""Where a network runs and what happens when its memory is too small."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, TypeVar

from grisaille.core.errors import ConfigError, OutOfMemory
from grisaille.core.run import Precision, Run
from grisaille.nn.engine import load_engine
from grisaille.nn.threads import threads as threads

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

_KNOWN = re.compile(r"auto|cpu|mps|cuda(?::\d+)?")
_FULL = ("out of memory", "can't allocate memory", "alloc_failed", "not enough memory")


def resolve_device(run: Run) -> torch.device:
    """The device that ``run`` asks for; ``auto`` takes cuda, else mps, else the cpu.

    Raises
    ------
    ConfigError
        If the device is unknown or this computer does not have it.
    """
    if not _KNOWN.fullmatch(run.device):
        raise ConfigError(f"device is {run.device!r}, expected auto, cpu, cuda, cuda:N or mps")
    load_engine("torch")
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    kind, _, number = run.device.partition(":")
    index = int(number or 0)
    if kind == "auto":
        kind = "cuda" if gpus else "mps" if has_mps else "cpu"
    if kind == "cuda" and index >= gpus:
        raise ConfigError(
            f"device is {run.device!r}, but PyTorch {torch.__version__} finds {gpus} CUDA devices here; "
            "choose auto or cpu, or install the driver and the CUDA build of PyTorch"
        )
    if kind == "mps" and not has_mps:
        raise ConfigError("device is 'mps', but PyTorch finds no Apple GPU here; choose auto or cpu")
    return torch.device(kind, index) if kind == "cuda" else torch.device(kind)


def describe(device: torch.device) -> str:
    """A device as a status line or a report names it."""
    if device.type == "cuda":
        import torch

        return f"{torch.cuda.get_device_name(device)} ({device})"
    return "Apple GPU (mps)" if device.type == "mps" else device.type.upper()


def autocast(run: Run, device: torch.device) -> AbstractContextManager[object]:
    """The arithmetic that ``run.precision`` asks for.

    float32 on CUDA is full float32: TF32, which cuDNN takes by default, keeps 10 bits of
    the mantissa and would move scores away from those that a model was calibrated with.
    """
    import torch

    if run.precision is not Precision.FLOAT32:
        return torch.autocast(device.type, dtype=getattr(torch, run.precision.value))
    if device.type == "cuda":
        return full_float32()
    return nullcontext()


@contextmanager
def full_float32() -> Iterator[None]:
    """No TF32 within; as before after."""
    from torch.backends import cuda, cudnn

    parts: tuple[Any, ...] = (cudnn.conv, cudnn.rnn, cuda.matmul)  # type: ignore[attr-defined] # made at import
    before = [part.fp32_precision for part in parts]
    for part in parts:
        part.fp32_precision = "ieee"
    try:
        yield
    finally:
        for part, precision in zip(parts, before, strict=True):
            part.fp32_precision = precision


def in_batches(
    items: Iterable[torch.Tensor],
    forward: Callable[[torch.Tensor], T],
    *,
    batch: int,
    run: Run,
    what: str,
    device: torch.device,
) -> Iterator[T]:
    """What ``forward`` makes of each batch of ``items``, in their order.

    When memory runs out the batch is halved, again and again, then the CPU is taken; both
    are said through ``run`` and stay so for the rest, and so is each device that gave results.
    Progress counts items computed.

    Parameters
    ----------
    items
        Slices (c, y, x) or slabs (c, z, y, x), on the CPU; taken lazily. Only neighbours of one
        shape share a batch.
    forward
        Gets (n, c, ...) on the device in hand, n from 1 to ``batch``, in inference mode.
    batch
        Items at a time to begin with.
    what
        Of the progress: ``scoring slices``.

    Raises
    ------
    OutOfMemory
        If the CPU cannot hold even one item.
    Cancelled
        Between two items.
    """
    total = len(items) if isinstance(items, Sized) else None
    for results in run.track(_steps(items, forward, batch, run, device), what, total):
        yield from results


def _steps(
    items: Iterable[torch.Tensor], forward: Callable[[torch.Tensor], T], batch: int, run: Run, device: torch.device
) -> Iterator[list[T]]:
    """One step an item: the first of a batch carries its result, the others nothing."""
    stream, size = iter(items), batch
    waiting: list[torch.Tensor] = []
    told: torch.device | None = None
    while True:
        for item in islice(stream, max(0, size - len(waiting))):
            waiting.append(item)
            run.check_cancelled()
        chunk = list(takewhile(lambda item: item.shape == waiting[0].shape, waiting[:size]))
        if not chunk:
            return
        result = _attempt(chunk, forward, run, device)
        if result is None:
            size, device = _retreat(len(chunk), batch, run, device)
            continue
        if device != told:
            run.ran_on(str(device))
            told = device
        yield [result[0]]
        yield from ([] for _ in chunk[1:])
        del waiting[: len(chunk)]


def _attempt(
    chunk: list[torch.Tensor], forward: Callable[[torch.Tensor], T], run: Run, device: torch.device
) -> tuple[T] | None:
    """The result, or None if memory ran out; nothing of a failed attempt stays referenced."""
    import torch

    try:
        images = torch.stack(chunk)  # (n, c, y, x) or (n, c, z, y, x)
        if device.type == "cuda":
            images = images.pin_memory()
        layout = torch.channels_last if images.ndim == 4 else torch.preserve_format
        images = images.to(device, non_blocking=device.type == "cuda", memory_format=layout)
        with torch.inference_mode(), autocast(run, device):
            return (forward(images),)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def _retreat(tried: int, batch: int, run: Run, device: torch.device) -> tuple[int, torch.device]:
    """Batch size and device to try after ``tried`` items were too many."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    if tried > 1:
        run.note(f"{describe(device)} ran out of memory with {tried} images at a time; going on with {tried // 2}")
        return tried // 2, device
    if device.type != "cpu":
        run.note(f"{describe(device)} has too little memory for one image; going on with the CPU, which is slower")
        return batch, torch.device("cpu")
    raise OutOfMemory(
        "the computer has too little free memory for the network and one image; "
        "close other programs, or take a smaller network or image size"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is one of the many ways torch and Python say that memory ran out."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _FULL)
