"""Edited labels on disk, so that a crash does not cost them.

Each process keeps its edited layers in a folder of its own. It goes when the process ends
well; a folder whose process is gone is what a crash left, and is offered again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.desktop.job import Job, Outcome

_DELAY_MS = 2000
_SESSION = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Leftover:
    """A label layer that a crash left behind."""

    path: Path
    name: str
    saved_at: datetime

    def read(self) -> Labels:
        """The labels as they were last saved."""
        from grisaille.io.labels import read_labels

        return read_labels(self.path)

    def discard(self) -> None:
        """Delete it from disk."""
        for path in _files_of(self.path):
            path.unlink(missing_ok=True)
        self._tidy()

    def move(self, path: Path) -> None:
        """Put it at ``path`` on the same disk."""
        for source in _files_of(self.path):
            source.replace(path.with_name(source.name.replace(_stem(self.path), _stem(path), 1)))
        self._tidy()

    def _tidy(self) -> None:
        """Remove a session that holds nothing any more, but what was being written in the crash."""
        if all(one.name.startswith(".") for one in self.path.parent.iterdir()):
            shutil.rmtree(self.path.parent, ignore_errors=True)


def recovery_folder() -> Path:
    """Where the edited layers of all processes are kept; made when it is missing."""
    import platformdirs

    return platformdirs.user_state_path("grisaille", appauthor=False) / "recovery"


def leftovers(folder: Path | None = None) -> tuple[Leftover, ...]:
    """What processes that are gone left behind, the newest first."""
    found = [one for session in _dead_sessions(folder or recovery_folder()) for one in _read_notes(session)]
    return tuple(sorted(found, key=lambda one: one.saved_at, reverse=True))


def save(labels: Labels, name: str, path: Path) -> None:
    """Write labels and the name of their layer; whole, or not at all."""
    from grisaille.core.safe_write import replacing
    from grisaille.io.labels import store_labels

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    store_labels(labels, path)
    note = {"name": name, "saved_at": datetime.now().astimezone().isoformat()}
    with replacing(_note_of(path)) as temporary:
        temporary.write_text(json.dumps(note), "utf-8")


def session_folder(folder: Path | None = None) -> Path:
    """The folder of this process: its number and when it began, as numbers are used again."""
    import psutil

    began = int(psutil.Process().create_time())
    return (folder or recovery_folder()) / f"{os.getpid()}-{began}"


class Autosave(QObject):
    """Saves label layers a moment after they changed, beside the GUI thread."""

    failed = Signal(str)

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = session_folder(folder)
        self._waiting: dict[int, tuple[Labels, str]] = {}
        self._job: Job | None = None
        self._timer = QTimer(self, singleShot=True, interval=_DELAY_MS)
        self._timer.timeout.connect(self.flush)
        # Runs when the application ends, and at the interpreter's end, but not in a crash.
        weakref.finalize(QCoreApplication.instance(), shutil.rmtree, self._folder, ignore_errors=True)

    def keep(self, layer: Any, labels: Labels) -> None:
        """Save ``labels`` of ``layer`` soon."""
        self._waiting[id(layer)] = (labels, str(layer.name))
        if not self._timer.isActive():  # who paints without a pause is saved all the same
            self._timer.start()

    def take_over(self, layer: Any, leftover: Leftover) -> None:
        """Keep what a crash left behind as the labels of ``layer``; it is on disk all the time."""
        path = self._path(id(layer))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        leftover.move(path)

    def forget(self, layer: Any) -> None:
        """The user deleted the layer: delete what was saved of it."""
        self._waiting.pop(id(layer), None)
        for path in _files_of(self._path(id(layer))):
            path.unlink(missing_ok=True)

    def flush(self) -> None:
        """Save now what waits."""
        if self._job is not None:
            self._timer.start()
            return
        waiting, self._waiting = self._waiting, {}
        if waiting:
            self._job = Job(Run(), "grisaille: saving edited labels")
            self._job.finished.connect(self._on_finished)
            self._job.start(lambda run: self._save(waiting))

    def _save(self, waiting: dict[int, tuple[Labels, str]]) -> None:
        for key, (labels, name) in waiting.items():
            save(labels, name, self._path(key))

    def _path(self, key: int) -> Path:
        return self._folder / f"{key:x}.nii.gz"

    def _on_finished(self, outcome: Outcome) -> None:
        self._job = None
        if outcome.error is not None:
            self.failed.emit(f"the edited labels could not be kept safe: {outcome.sentence}")


def _stem(path: Path) -> str:
    return path.name.removesuffix(".nii.gz")


def _note_of(path: Path) -> Path:
    return path.with_name(f"{_stem(path)}.note")


def _files_of(path: Path) -> tuple[Path, ...]:
    """The labels, the sidecar with their names, and our note."""
    return tuple(path.parent.glob(f"{_stem(path)}.*"))


def _dead_sessions(folder: Path) -> Iterator[Path]:
    import psutil

    for session in sorted(folder.iterdir()) if folder.is_dir() else ():
        named = _SESSION.fullmatch(session.name)
        if named is None or not session.is_dir():
            continue
        number, began = int(named[1]), int(named[2])
        try:
            is_alive = abs(psutil.Process(number).create_time() - began) < 2
        except psutil.Error:
            is_alive = False
        if not is_alive:
            yield session


def _read_notes(session: Path) -> Iterator[Leftover]:
    for path in session.glob("[!.]*.nii.gz"):
        try:
            note = json.loads(_note_of(path).read_text("utf-8"))
            yield Leftover(path, str(note["name"]), datetime.fromisoformat(note["saved_at"]))
        except (OSError, ValueError, KeyError, TypeError):
            # Without its note the labels are still worth offering.
            yield Leftover(path, "labels", datetime.fromtimestamp(path.stat().st_mtime).astimezone())
