"""napari's File > Open: DICOM folders and files, NIfTI, NRRD and MetaImage, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import napari
import numpy as np
from napari.utils.notifications import show_info, show_warning

from grisaille.core.errors import AmbiguousSeries, InputError, NoImages, SeveralFrames, UnevenSlices, UnknownUnit
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Modality, OnIrregular, Volume
from grisaille.desktop.appearance import look_of
from grisaille.desktop.ask import Kind, ask_frame, ask_kind, ask_regrid, ask_series, ask_suv
from grisaille.desktop.layers import THING, has_ct, image_arguments, in_drawing_order, labels_arguments, volumes_in
from grisaille.desktop.view import attach
from grisaille.desktop.world import go_to
from grisaille.imaging.suv_overrides import SuvOverrides
from grisaille.io.dicom.dicomdir import is_dicomdir
from grisaille.io.image import stem_of, suffix_of
from grisaille.io.labels import read_labels
from grisaille.io.pseudonym import pseudonym
from grisaille.io.sidecar import read_sidecar
from grisaille.io.study import read_study, read_volume
from grisaille.io.zip_folder import is_zip, opened

LayerData = tuple[Any, dict[str, Any], str]
Readable = TypeVar("Readable", Study, Volume)

NOTHING: list[Any] = [(None,)]
"""What napari takes for: read, and there is no layer to add."""


@dataclass(frozen=True)
class Questions:
    """How to ask a person; the answers are None where the question was dismissed."""

    kind: Callable[[Path], Kind | None] = ask_kind
    series: Callable[[Any], dict[Modality, str] | None] = ask_series
    frame: Callable[[Sequence[str]], int | None] = ask_frame
    regrid: Callable[[str], bool] = ask_regrid
    suv: Callable[[str, Sequence[str]], SuvOverrides | None] = ask_suv


@dataclass(frozen=True)
class Choices:
    """What somebody answered on a folder of DICOM."""

    ct_series: str | None = None
    pet_series: str | None = None
    frame: int | None = None
    on_irregular: OnIrregular = OnIrregular.REFUSE


_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_PREAMBLE = 128


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Any]] | None:
    """The reader of these paths, or None if one of them is of no kind that grisaille reads."""
    return read if all(_is_ours(one) for one in _paths(path)) else None


def read(path: str | Sequence[str], questions: Questions | None = None) -> list[Any]:
    """Layers of what lies at a path, or at several.

    Parameters
    ----------
    questions
        How to ask when a file does not say what it measures; by default dialogs where there is
        a napari window, and else nobody is asked.

    Raises
    ------
    InputError
        With a sentence that names the file, if it cannot be used.
    """
    viewer = napari.current_viewer()
    if questions is None and viewer is not None:
        questions = Questions()
    layers = [layer for one in _paths(path) for layer in _layers(one, questions, viewer)]
    if viewer is not None and layers:
        attach(viewer)
    return layers or NOTHING


def study_layers(study: Study) -> list[LayerData]:
    """The Image layers of a study, PET last, with its warnings told."""
    over_ct = study.ct is not None
    return [_image_layer(volume, over_ct=over_ct) for volume in in_drawing_order(study)]


def _layers(path: Path, questions: Questions | None, viewer: Any) -> list[LayerData]:
    path = opened(path)
    if path.is_dir() or is_dicomdir(path):
        return _folder_and_labels(path, questions, viewer)
    if not suffix_of(path):
        return _dicom_file(path, questions, viewer)
    if read_sidecar(path).names is not None:
        return [_labels_layer(path)]
    try:
        return [_image_layer(read_volume(path))]
    except UnknownUnit:
        if questions is None:
            raise
    kind = questions.kind(path)
    if kind is None:
        return []
    if kind is Kind.LABELS:
        return [_labels_layer(path)]
    return [_image_layer(read_volume(path, modality=kind.modality, unit=kind.unit))]


def _folder(path: Path, questions: Questions | None) -> list[LayerData]:
    """The layers of a folder; each thing that it does not say is asked once."""
    choices: Choices | None = Choices()
    while choices is not None:
        try:
            reading = partial(
                read_study,
                path,
                ct_series=choices.ct_series,
                pet_series=choices.pet_series,
                frame=choices.frame,
                on_irregular=choices.on_irregular,
            )
            return study_layers(_with_suv(reading, questions))
        except (AmbiguousSeries, UnevenSlices) as error:
            if questions is None:
                raise
            answered = _answered(path, error, choices, questions)
            if answered == choices:
                raise
            choices = answered
    return []


def _answered(path: Path, error: InputError, choices: Choices, questions: Questions) -> Choices | None:
    """The choices and one more; None if the question was dismissed."""
    if isinstance(error, UnevenSlices):
        return replace(choices, on_irregular=OnIrregular.RESAMPLE) if questions.regrid(str(error)) else None
    if isinstance(error, SeveralFrames):
        frame = questions.frame(error.frames)
        return None if frame is None else replace(choices, frame=frame)
    from grisaille.io.dicom.series import scan

    found = scan(path)
    answer = questions.series({kind: found.of(kind) for kind in (Modality.CT, Modality.PET) if found.of(kind)})
    if answer is None:
        return None
    return replace(choices, ct_series=answer.get(Modality.CT), pet_series=answer.get(Modality.PET))


def _with_suv(read: Callable[..., Readable], questions: Questions | None) -> Readable:
    """What ``read`` gives; a PET without SUV is read again with what a person entered, as long as that can help."""
    thing = read()
    entered = SuvOverrides()
    while True:
        volume = thing.pet if isinstance(thing, Study) else thing
        record = None if volume is None else volume.provenance.suv
        if questions is None or record is None or not record.missing:
            return thing
        answer = questions.suv(record.refused, record.missing)
        if answer is None:
            return thing
        entered = replace(entered, **{name: getattr(answer, name) for name in answer.given})
        thing = read(suv=entered)


def _folder_and_labels(path: Path, questions: Questions | None, viewer: Any) -> list[LayerData]:
    """The images of a folder and the SEG and RTSTRUCT that lie on them; where it holds only these, on what is open."""
    from grisaille.io.dicom.label_files import label_files

    try:
        images = _folder(path, questions)
    except NoImages:
        files = [found.file for found in label_files(path)]
        if not files:
            raise
        return [layer for file in files for layer in _dicom_labels(file, viewer)]
    return images + _labels_in(path, images)


def _dicom_file(path: Path, questions: Questions | None, viewer: Any) -> list[LayerData]:
    from grisaille.io.dicom.label_files import label_file

    if label_file(path) is not None:
        return _dicom_labels(path, viewer)
    return [] if _is_open(path, viewer) else [_image_layer(_with_suv(partial(read_volume, path), questions))]


def _labels_in(folder: Path, images: list[LayerData]) -> list[LayerData]:
    """Layers of the SEG and RTSTRUCT of a folder whose images were opened."""
    from grisaille.desktop.dicom_labels import labels_of_folder

    volumes = [arguments["metadata"][THING] for _, arguments, _ in images]
    found, refused = labels_of_folder(folder, volumes) if volumes else ([], [])
    for sentence in refused:
        show_warning(sentence)
    return [_labels_layer(file, labels) for file, labels in found]


def _dicom_labels(path: Path, viewer: Any) -> list[LayerData]:
    from grisaille.desktop.dicom_labels import labels_of_file

    labels, volume = labels_of_file(path, volumes_in(viewer) if viewer is not None else ())
    if volume is None and viewer is not None and len(viewer.layers) and labels.ids:
        go_to(viewer, _amidst(labels))  # on a slice without any of them it would look as if nothing had happened
    return [*([] if volume is None else [_image_layer(volume)]), _labels_layer(path, labels)]


def _amidst(labels: Labels) -> Any:
    """LPS millimetres (z, y, x): the middle of the labels in the axial slice that has most of them."""
    z = int(np.count_nonzero(labels.voxels, axis=(1, 2)).argmax())
    y, x = np.argwhere(labels.voxels[z]).mean(axis=0)
    return labels.grid.to_mm((z, y, x))


def _is_open(path: Path, viewer: Any) -> bool:
    """Whether the series of a DICOM file is shown: to open its 300 slices is not to open it 300 times."""
    from grisaille.io.dicom.header import NotRead, read_header

    if viewer is None:
        return False
    try:
        series = pseudonym(read_header(path).series_uid)
    except NotRead:
        return False
    is_open = bool(series) and any(volume.source.series.partition("-")[0] == series for volume in volumes_in(viewer))
    if is_open:
        show_info(f"the series of {path.name} is open already")
    return is_open


def _image_layer(volume: Volume, *, over_ct: bool = False) -> LayerData:
    for warning in volume.provenance.warnings:
        show_warning(warning)
    viewer = napari.current_viewer()
    over_ct = over_ct or (viewer is not None and has_ct(viewer))
    return (*image_arguments(volume, look_of(volume, over_ct=over_ct)), "image")


def _labels_layer(path: Path, labels: Labels | None = None) -> LayerData:
    labels = labels or read_labels(path)
    for warning in labels.warnings:
        show_warning(warning)
    data, arguments = labels_arguments(labels, stem_of(path))
    return data, arguments, "labels"


def _paths(path: str | Sequence[str]) -> list[Path]:
    return [Path(one) for one in ([path] if isinstance(path, str) else path)]


def _is_ours(path: Path) -> bool:
    """By its name; a file without one of our endings by the four letters that DICOM files carry."""
    if path.is_dir():
        return path.suffix != ".zarr"
    if suffix_of(path) or path.suffix.lower() in _DICOM_SUFFIXES or is_zip(path):
        return True
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False
