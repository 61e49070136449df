"""What lies in files and folders, in words and figures that name no patient."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grisaille.core.errors import GrisailleError, InputError, OutOfMemory
from grisaille.core.run import Run
from grisaille.core.volume import Modality, SuvRecord, Unit, Volume
from grisaille.io.files import read_file
from grisaille.io.folder import image_files, nothing_in
from grisaille.io.image import path_of, stem_of, suffix_of
from grisaille.io.sidecar import sidecar_path
from grisaille.io.volumes import chosen, modality_of, read_file_volume
from grisaille.io.zip_folder import opened

if TYPE_CHECKING:
    from grisaille.imaging.suv_overrides import SuvOverrides
    from grisaille.io.dicom.series import SeriesInfo

    Reader = Callable[[SeriesInfo], Volume]

Skips = list[tuple[Path, str]]


def describe(
    paths: Iterable[str | os.PathLike[str]],
    *,
    pet_unit: Unit | str | None = None,
    suv: SuvOverrides | None = None,
    run: Run | None = None,
) -> dict[str, Any]:
    """Every series and image file in ``paths``, and what was passed over: plain values for JSON.

    A series that cannot be read stands there with what its headers say and the reason among
    its warnings.

    Parameters
    ----------
    pet_unit, suv
        Of DICOM PET, as of ``read_study``.

    Raises
    ------
    InputError
        If there is nothing to describe.
    """
    series: list[dict[str, Any]] = []
    skipped: Skips = []
    places = [path_of(path) for path in paths]
    unit = chosen(Unit, pet_unit, "PET unit")

    def read(info: SeriesInfo) -> Volume:
        from grisaille.io.dicom.series import read_series

        return read_series(info, unit=unit if info.modality is Modality.PET else None, overrides=suv, run=run)

    for path in places:
        try:
            series.extend(_in_path(opened(path, run=run), skipped, read, run))
        except InputError as error:
            if len(places) == 1:
                raise
            skipped.append((path, str(error)))
    if not series:
        raise nothing_in(", ".join(path.name for path in places), skipped)
    return {"series": series, "skipped": [{"file": file.name, "reason": reason} for file, reason in skipped]}


def _in_path(path: Path, skipped: Skips, read: Reader, run: Run | None) -> Iterator[dict[str, Any]]:
    if suffix_of(path) and not path.is_dir():
        yield _image_file(path)
        return
    files: set[Path] = set()
    if path.is_dir():
        folder = image_files(path)
        files = {file for group in folder.images.values() for file in group}
        for file in sorted(files):
            yield _image_file(file)
        skipped.extend(folder.skipped)
        files |= {file for file, _ in folder.skipped}
        files |= {sidecar_path(file) for file in files}
    yield from _dicom(path, files, skipped, read, run)


def _dicom(path: Path, described: set[Path], skipped: Skips, read: Reader, run: Run | None) -> Iterator[dict[str, Any]]:
    from grisaille.io.dicom.series import scan

    found = scan(path, run=run)
    for info in found.series:
        yield _described(partial(read, info), uid=info.uid, name=info.label, modality=info.modality)
    skipped.extend((one.file, one.reason) for one in found.skipped if one.file not in described)


def _image_file(path: Path) -> dict[str, Any]:
    """A file is described even if nothing says its unit: where it lies is known all the same."""
    modality = modality_of(path)

    def load() -> Volume:
        try:
            return read_file_volume(path)
        except GrisailleError as error:
            image = read_file(path)
            unknown = Volume(image.voxels, image.grid, modality or Modality.OTHER, Unit.NONE, source=image.source)
            return unknown.warned(*image.warnings, str(error))

    return _described(load, uid="", name=stem_of(path), modality=modality or Modality.OTHER)


def _described(load: Callable[[], Volume], *, uid: str, name: str, modality: Modality) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "uid": uid,
        "name": name,
        "modality": modality.value,
        "shape_zyx": None,
        "spacing_zyx_mm": None,
        "orientation": "",
        "unit": "",
        "suv": None,
        "geometry": "not read",
        "warnings": [],
    }
    try:
        volume = load()
    except (InputError, OutOfMemory) as error:
        entry["warnings"] = [str(error)]
        return entry
    return entry | {
        "shape_zyx": list(volume.grid.shape),
        "spacing_zyx_mm": [round(step, 7) for step in volume.grid.spacing_mm],
        "orientation": volume.source.orientation,
        "unit": volume.unit.value,
        "suv": _suv(volume.provenance.suv),
        "geometry": volume.provenance.geometry,
        "warnings": list(volume.provenance.warnings),
    }


def _suv(record: SuvRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    ends = None if record.factor_range is None else list(record.factor_range)
    return {
        "factor_range": ends,
        "path": record.path,
        "inputs": dict(record.inputs),
        "overrides": dict(record.overrides),
        "missing": list(record.missing),
    }
