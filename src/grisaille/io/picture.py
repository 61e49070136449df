"""Ordinary pictures, PNG or JPEG and their like: squeezed to a square as AnomalyCLIP's published pass does, and masks.

Source: the transforms of Zhou et al. 2024, arXiv 2310.18961: Pillow's bicubic for the picture, in the colours that
it has, then RGB; its bilinear for the mask, cut at a half.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from grisaille.core.errors import GridMismatch, UnreadableFile, UnsuitableVolume

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's names for what has eight bits a colour or fewer."""


def is_picture(path: Path) -> bool:
    """Whether a file is one by its name; hidden ones (``._x`` of other systems' archives) are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def read_square(path: Path, side: int) -> npt.NDArray[np.uint8]:
    """(side, side, 3) red, green, blue of a whole picture, whatever its shape.

    Grey becomes three equal colours; transparency is left out after the resizing, as published.

    Raises
    ------
    UnreadableFile
        If it is damaged, of an unknown kind, declares too many pixels or holds several pictures.
    UnsuitableVolume
        If it has more than eight bits a colour.
    """
    with _opened(path) as picture:
        return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC).convert("RGB"))


def read_mask(path: Path, like: Path, side: int) -> npt.NDArray[np.bool_]:
    """(side, side) what a mask marks, squeezed as its picture ``like`` is; all but 0 is marked.

    Raises
    ------
    GridMismatch
        If the mask is not as large as the picture.
    InputError
        As ``read_square``, of either file.
    """
    with _opened(like) as picture:
        wanted = picture.size
    with _opened(path) as mask:
        if mask.size != wanted:
            raise GridMismatch(
                f"the mask {path.name} is {_in_words(mask.size)} pixels, its picture {_in_words(wanted)}; "
                "give the mask of this picture, of the same size"
            )
        marked = np.where(np.asarray(mask.convert("L")) > 0, 255, 0).astype(np.uint8)
    squeezed = Image.fromarray(marked).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(squeezed) > 127


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture of a file; its declared size is checked before anything is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as picture:
                _require_plain(picture, path)
                yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableFile(
            f"{path.name} declares more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels, expected a "
            "picture of one slice; make it smaller, or take it out"
        ) from error
    except UnidentifiedImageError as error:
        raise UnreadableFile(
            f"{path.name} is no picture that is read here, expected {', '.join(_FORMATS)}; convert it, or take it out"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # SyntaxError: what Pillow calls a broken PNG
        raise UnreadableFile(f"{path.name} cannot be read as a picture ({error}); fetch it again") from error


def _require_plain(picture: Image.Image, path: Path) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise UnreadableFile(f"{path.name} holds {frames} pictures, expected one; save the one that is meant alone")
    # Pillow cuts 16 bits a colour to 8 without a word; only the tiles of the file tell.
    is_deep = any(";16" in str(tile.args) for tile in getattr(picture, "tile", ()))
    if is_deep or picture.mode not in _MODES:
        found = "16 bits a colour" if is_deep or picture.mode.startswith("I") else f"values of the kind {picture.mode}"
        raise UnsuitableVolume(
            f"{path.name} has {found}, expected 8 bits: which of them are black and white is not said; "
            "save it in 8 bits with the window that is meant"
        )


def _in_words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
