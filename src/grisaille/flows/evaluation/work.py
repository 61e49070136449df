"""What an evaluation has done so far, so that one that was broken off goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from grisaille.core.errors import OutputError
from grisaille.core.safe_write import replacing
from grisaille.core.study import Study
from grisaille.flows.layouts.exam import Exam
from grisaille.methods.base import Method
from grisaille.weights.store import sha256_of

FOLDER = "work"
_ABOUT = "evaluation.json"
_FILES = "files.json"


class Work:
    """The folder ``work`` of an evaluation: a record each for what is finished, by the hash of all it rests on.

    Names of patients' files are kept here and nowhere in the report.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out / FOLDER
        self._files: dict[str, dict[str, Any]] = self.record(_FILES) or {}

    @classmethod
    def begun(cls, out: Path, about: Mapping[str, Any], *, overwrite: bool) -> Work:
        """A new evaluation, or the same one again.

        Parameters
        ----------
        about
            What is evaluated and how.

        Raises
        ------
        OutputError
            If ``out`` holds another evaluation, or anything else, and ``overwrite`` is not set.
        """
        work = cls(out)
        if work._is_begun(out) and not overwrite:
            known = work.record(_ABOUT)
            if known is None:
                raise OutputError(f"{out} is not empty; choose another --out, or --overwrite to write into it")
            differs = sorted(name for name in {*known, *about} if known.get(name) != about.get(name))
            if differs:
                raise OutputError(
                    f"{out} holds an evaluation with another {', '.join(differs)}; choose another --out, or "
                    "--overwrite to replace its report"
                )
        work.keep(_ABOUT, about)
        return work

    def _is_begun(self, out: Path) -> bool:
        """Whether something stands there that an evaluation took time for, or that is not ours."""
        there = {path.name for path in out.iterdir()} if out.is_dir() else set()
        return bool(there - {FOLDER}) or any(self.folder.glob("model-*")) or any(self.folder.glob("scan-*"))

    def record(self, name: str) -> Any:
        """What was kept under a name; None if nothing was, or it is damaged."""
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, name: str, record: Any) -> None:
        """Keep a record; it is there whole or not at all."""
        with replacing(self.folder / name, makes_folder=True) as temporary:
            temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    def keep_bytes(self, name: str, content: bytes) -> None:
        """Keep a picture."""
        with replacing(self.folder / name, makes_folder=True) as temporary:
            temporary.write_bytes(content)

    def look(self, exam: Exam) -> bool:
        """Whether an exam's truth holds a lesion; read once, as long as its files stay the same."""
        place = f"lesion {exam.key}"
        stamp = [_stamp(path) for path in exam.files.values()]
        known = self._files.get(place)
        if known is None or known["stamp"] != stamp or not exam.files:
            known = {"stamp": stamp, "name": exam.name, "has_lesion": exam.look()}
            self._files[place] = known
        return bool(known["has_lesion"])

    def sha256(self, path: Path) -> str:
        """Of a file's content; computed once, as long as it stays the same."""
        known = self._files.get(str(path))
        if known is None or known["stamp"] != _stamp(path):
            known = {"stamp": _stamp(path), "sha256": sha256_of(path)}
            self._files[str(path)] = known
        return str(known["sha256"])

    def keep_files(self) -> None:
        """Keep what is known of the data's files."""
        self.keep(_FILES, self._files)

    def exam_hash(self, exam: Exam) -> str:
        """Equal for equal studies with equal truth."""
        if exam.files:
            return hash_of({role: self.sha256(path) for role, path in exam.files.items()})
        if exam.recipe:
            return hash_of(exam.recipe)
        opened = exam.open()
        return hash_of([study_hash(opened.study), _array_hash(opened.lesions.voxels)])


def hash_of(content: Any) -> str:
    """sha256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def method_hash(method: Method) -> str:
    """Equal for methods that score and mark alike."""
    state = method.state()
    arrays = {name: _array_hash(array) for name, array in state.arrays.items()}
    weights = [one.sha256 for one in method.weights]
    return hash_of([method.name, arrays, dict(state.header), method.config.to_mapping(), weights])


def study_hash(study: Study) -> str:
    """Of the numbers, where they lie and what they mean."""
    parts = {
        key: [_array_hash(one.voxels), one.grid.affine.tolist(), one.unit.value] for key, one in study.volumes.items()
    }
    return hash_of(parts)


def _array_hash(array: Any) -> str:
    values = np.ascontiguousarray(array)
    return hashlib.sha256(f"{values.dtype.str} {values.shape}".encode() + values.tobytes()).hexdigest()


def _stamp(path: Path) -> list[int]:
    seen = path.stat()
    return [seen.st_size, seen.st_mtime_ns]
