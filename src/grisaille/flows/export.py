"""Results out again: in the formats that hospitals keep, on the images they were made on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grisaille.core.labels import Labels
from grisaille.core.result import Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import SourceFormat, Volume
from grisaille.flows.exporting.material import Material, StrPath, gather
from grisaille.flows.exporting.writers import WRITERS, ExportOptions, Job
from grisaille.flows.versions import imported_versions
from grisaille.io.export.formats import Format, places
from grisaille.io.export.provenance import provenance, provenance_path, write_json
from grisaille.io.export.segments import segments_of
from grisaille.io.export.sources import read_sources
from grisaille.io.export.whose import Identity
from grisaille.io.image import path_of

__all__ = ["ExportOptions", "Format", "Identity", "Material", "export", "gather", "told", "write"]


def export(
    thing: Result | Labels | StrPath,
    out: StrPath,
    formats: Sequence[Format] | str,
    *,
    like: Study | Volume | StrPath,
    options: ExportOptions | None = None,
    edited: bool = False,
    run: Run | None = None,
) -> tuple[Path, ...]:
    """Write a result, or labels, in one or several formats, each with its provenance beside it.

    Parameters
    ----------
    thing
        A result, its folder, labels, or a file of labels.
    out
        The file, or a folder for several formats.
    formats
        Such as ``"seg,sr"``.
    like
        The study, or the volume, that the labels lie on; DICOM formats refer to its images.
    edited
        Whether the labels of a result's folder were painted on since: they are measured again.

    Returns
    -------
    The files written, without those of the provenance.

    Raises
    ------
    GridMismatch
        If the labels lie on none of the study's grids: nothing is resampled.
    InputError
        If there is nothing to export, or the images cannot be referred to.
    OutputError
        If something cannot be written whole; nothing half-written is left.
    """
    run = run or Run()
    options = options or ExportOptions()
    wanted = Format.parse(formats) if isinstance(formats, str) else tuple(formats)
    named = places(wanted, path_of(out), options.overwrite)
    return write(gather(thing, like, edited=edited, run=run), named, options, run)


def write(material: Material, named: Mapping[Format, Path], options: ExportOptions, run: Run) -> tuple[Path, ...]:
    """Write each format to its file; see ``export``."""
    segments = segments_of(material.labels, material.findings, material.maker, options.choice)
    is_dicom = material.volume.source.format is SourceFormat.DICOM and bool(material.volume.source.files)
    needs_images = any(one.is_dicom for one in named) or (is_dicom and options.identity is Identity.DEIDENTIFIED)
    sources = read_sources(material.volume, options.identity, run) if needs_images else None
    for path in named.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    written: dict[Format, Any] = {}
    # A report refers to the segments, so in the order of the formats these come first.
    for kind in run.track([one for one in Format if one in named], "writing"):
        written[kind] = WRITERS[kind](Job(material, segments, sources, options, written), named[kind])
        if kind is not Format.JSON:  # which is a provenance itself
            record = provenance(
                kind=kind.key,
                identity=options.identity,
                segments=segments,
                volume=material.volume,
                sources=sources,
                record=material.record,
                versions=imported_versions(),
            )
            write_json(record, provenance_path(named[kind]))
    return tuple(named.values())


def told(formats: Sequence[Format], identity: Identity) -> tuple[str, ...]:
    """What the files will say of the patient, for showing before they are written."""
    sentences = []
    if any(one.is_dicom for one in formats):
        sentences.append(identity.sentence)
    plain = [one.key for one in formats if not one.is_dicom]
    if plain:
        hidden = identity is Identity.DEIDENTIFIED
        what = (
            "with other tracking ids and without weight and warnings" if hidden else "with the findings' tracking ids"
        )
        sentences.append(f"{', '.join(plain)}: no name, id or date of the patient, {what}")
    return tuple(sentences)
