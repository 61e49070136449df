"""Slices of made-up features in which abnormal tokens lie in another direction than normal ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from grisaille.methods.anomalyclip.token_cache import MarkedTokens


@dataclass(eq=False)
class Planted:
    """As many slices as ``patients``, every second of them with a mark; ``asked`` counts how often one was read."""

    patients: Sequence[str]
    seed: int = 0
    taps: int = 1
    fingerprint: str = "planted"
    asked: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def marked(self) -> int:
        return len(self) // 2

    def __getitem__(self, number: int) -> MarkedTokens:
        self.asked += 1
        ways = unit(np.random.default_rng(0).standard_normal((2, 96)))
        random = np.random.default_rng([1, self.seed, number])
        rows, columns = (4, 5) if number % 3 else (3, 4)  # not all of one shape
        abnormal = np.zeros((rows, columns), dtype=int)
        if number % 2:
            abnormal[1:3, random.integers(1, columns)] = 1
        noise = 0.05 * random.standard_normal((self.taps, rows, columns, 96))
        image = ways[number % 2] + 0.05 * random.standard_normal(96)
        mask = np.kron(abnormal, np.ones((8, 8), dtype=int)).astype(bool)
        return MarkedTokens(unit(image).astype(np.float16), unit(ways[abnormal] + noise).astype(np.float16), mask)


def unit(values: np.ndarray) -> np.ndarray:
    """Of length one along the last axis."""
    return values / np.linalg.norm(values, axis=-1, keepdims=True)
