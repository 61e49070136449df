"""What CLIP made of slices, kept on the disk by content: other prompts need no second look.

It is not ``token_cache``: it holds the tiles that scores are made of, without class tokens, wherever there is room for
them, and forgets the oldest, while a learning may lose none of its slices before its last epoch.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import OutputError
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing
from grisaille.methods.anomalyclip.pictures import Sheet
from grisaille.methods.anomalyclip.vision import Look

LARGEST_BYTES = 4 << 30
"""The folder is kept below this: what was made longest ago goes first."""

Features = Sequence[npt.NDArray[np.float16]]


@dataclass(eq=False)
class FeatureStore:
    """A file a slice in a folder a sheet; nothing is kept where there is no folder.

    Parameters
    ----------
    folder
        May be emptied at any time; damaged files are made anew.
    fingerprint, look
        Of the backbone, and what is taken of it.
    """

    folder: Path | None
    fingerprint: str
    look: Look
    precision: str = "float32"
    _names: dict[int, str] = field(default_factory=dict, init=False, repr=False)
    _is_full: bool = field(default=False, init=False, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether anything is kept."""
        return self.folder is not None and not self._is_full

    def has(self, sheet: Sheet, number: int) -> bool:
        """Whether a slice was kept."""
        return self.folder is not None and self._file(sheet, number).is_file()

    def load(self, sheet: Sheet, number: int, run: Run) -> Features | None:
        """(taps, rows, columns, e) of each tile of a slice; None, said, if the file is damaged."""
        tiles = list(sheet.tiles(number))
        file = self._file(sheet, number)
        try:
            with np.load(file) as kept:
                features = [kept[f"tile{one}"] for one in range(len(tiles))]
        except (OSError, ValueError, KeyError, BadZipFile, EOFError):
            features = []
        shapes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in tiles]
        if [one.shape[1:3] for one in features] != shapes or not all(np.isfinite(one).all() for one in features):
            run.note(f"the kept features {file.name} in {file.parent.name} are damaged and are made anew")
            return None
        return features

    def keep(self, sheet: Sheet, number: int, features: Features, run: Run) -> None:
        """Write a slice, whole or not at all; a folder that cannot be written is said once."""
        if not self.is_open:
            return
        file = self._file(sheet, number)
        try:
            with replacing(file, makes_folder=True) as temporary, temporary.open("wb") as stream:
                tiles = {f"tile{one}": array for one, array in enumerate(features)}
                np.savez(stream, **tiles)  # type: ignore[arg-type] # arrays by name
        except (OutputError, OSError) as error:
            self._is_full = True
            run.note(f"features are not kept, so other prompts will look at every slice again: {error}")

    def tidy(self) -> None:
        """Remove the oldest sheets until the rest is small enough."""
        if self.folder is None or not self.folder.is_dir():
            return
        try:
            sheets = sorted((one for one in self.folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
            sizes = [sum(file.stat().st_size for file in one.iterdir()) for one in sheets]
        except OSError:  # another run tidies too, or somebody empties the folder
            return
        for number, sheet in enumerate(sheets[:-1]):
            if sum(sizes[number:]) <= LARGEST_BYTES:
                break
            shutil.rmtree(sheet, ignore_errors=True)

    def _file(self, sheet: Sheet, number: int) -> Path:
        assert self.folder is not None
        return self.folder / self._name(sheet) / f"{number:04d}.npz"

    def _name(self, sheet: Sheet) -> str:
        """Of all that the features depend on; no name of a patient is in it."""
        if id(sheet) not in self._names:
            digest = hashlib.sha256(repr((self.fingerprint, self.look, self.precision)).encode())
            digest.update(repr((sheet.stack.windows, sheet.shape, sheet.patch, sheet.tile)).encode())
            digest.update(np.ascontiguousarray(sheet.stack.values).data)
            digest.update(np.packbits(sheet.stack.body).data)
            self._names[id(sheet)] = digest.hexdigest()[:32]
        return self._names[id(sheet)]
