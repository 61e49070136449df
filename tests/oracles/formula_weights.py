"""Weights and images by formula, so that golden figures need no weight file.

``uniform(name, shape)`` is a fixed hash of (name, index) in [-0.5, 0.5); ``weight(name, shape)`` scales it as a
network's parameter of that name. Both are exact on every platform (64-bit integers, then float64, then float32).
"""

import zlib

import numpy as np


def uniform(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float64 array of ``shape`` in [-0.5, 0.5), a function of ``name`` alone."""
    n = int(np.prod(shape)) if len(shape) else 1
    i = np.arange(n, dtype=np.uint64)
    c = np.uint64(zlib.crc32(name.encode()))
    mask = np.uint64(0xFFFFFFFF)
    with np.errstate(over="ignore"):
        h = (i * np.uint64(2654435761) + c * np.uint64(40503) + np.uint64(12345)) & mask
        h ^= h >> np.uint64(16)
        h = (h * np.uint64(2246822519)) & mask
        h ^= h >> np.uint64(13)
    return (h.astype(np.float64) / 2**32 - 0.5).reshape(shape)


def weight(prefix: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 parameter ``name`` (as named in open_clip's ``CLIP.state_dict()``)."""
    u = uniform(prefix + name, shape)
    if name.endswith("logit_scale"):
        return np.full(shape, 2.6592, np.float32)
    if len(shape) == 1 and name.endswith(".weight"):  # layer-norm gain
        return (1 + 0.2 * u).astype(np.float32)
    if name.endswith((".bias", "in_proj_bias")):
        return (0.1 * u).astype(np.float32)
    if any(part in name for part in ("token_embedding", "positional_embedding", "class_embedding")):
        return (0.7 * u).astype(np.float32)
    if name.endswith("proj") and len(shape) == 2 and "out_proj" not in name and "c_proj" not in name:
        fan_in = shape[0]  # visual.proj, text_projection: stored (in, out)
    else:
        fan_in = shape[1] if len(shape) == 2 else int(np.prod(shape[1:])) if len(shape) > 2 else shape[0]
    return (u * np.sqrt(12.0 / fan_in)).astype(np.float32)
