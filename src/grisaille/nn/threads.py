"""How many CPU threads the networks take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from grisaille.core.run import Run
from grisaille.nn.engine import load_engine


def physical_cores() -> int:
    """Physical cores that this process may use, at least 1."""
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))


def thread_count(run: Run) -> int:
    """What ``run`` asks for; else all physical cores but one, which is left to the screen."""
    return run.threads if run.threads is not None else max(1, physical_cores() - 1)


@contextmanager
def threads(run: Run) -> Iterator[int]:
    """The networks on this thread take ``thread_count(run)`` threads within; as before after.

    Environment variables are not written: they would change every other plugin's networks,
    and are read once only, when torch is loaded.
    """
    load_engine("torch")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(thread_count(run))
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
