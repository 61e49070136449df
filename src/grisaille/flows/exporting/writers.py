"""One export of one or several files: a writer for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import grisaille
from grisaille.core.errors import InputError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.result import RESEARCH_USE
from grisaille.flows.exporting.material import Material
from grisaille.imaging.burden import burden_of
from grisaille.io.export.formats import Format
from grisaille.io.export.provenance import naming, shared, write_json
from grisaille.io.export.recorded import made_by
from grisaille.io.export.segments import Choice, Segments
from grisaille.io.export.sources import Sources
from grisaille.io.export.whose import Identity
from grisaille.io.labels import write_labels
from grisaille.io.results import write_findings_csv


@dataclass(frozen=True)
class ExportOptions:
    """How results are exported.

    Parameters
    ----------
    identity
        Whether DICOM objects say whose they are, as the source does.
    choice
        Which findings, as what, and whether a label in several pieces is one segment.
    labelmap
        A SEG with one number a voxel, which fewer programs read.
    whole_map
        A parametric map of the whole grid, in place of the box round the body.
    seg
        An exported SEG that an SR on its own refers to.
    overwrite
        Replace files that are there.
    """

    identity: Identity = Identity.IDENTIFIED
    choice: Choice = field(default_factory=Choice)
    labelmap: bool = False
    whole_map: bool = False
    seg: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class Job:
    """What the writers of one export share; ``written`` is what those before gave."""

    material: Material
    segments: Segments
    sources: Sources | None
    options: ExportOptions
    written: Mapping[Format, Any]

    def is_chosen(self, finding: Finding) -> bool:
        """Whether a finding is among those to be exported."""
        number = finding.label if self.options.choice.together else finding.id
        return not self.options.choice.include or number in self.options.choice.include

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those chosen, under the tracking ids that may be known."""
        uid = naming(self.options.identity, self.sources)
        return tuple(
            replace(one, tracking_uid=uid(one.tracking_uid)) for one in self.material.findings if self.is_chosen(one)
        )

    @property
    def labels(self) -> Labels:
        """The labels chosen, under their own numbers."""
        labels = self.material.labels
        if not self.options.choice.include:
            return labels
        return replace(labels, voxels=np.where(self.segments.voxels > 0, labels.voxels, np.uint16(0)))

    @property
    def images(self) -> Sources:
        """The images that a DICOM object refers to."""
        if self.sources is None:
            raise InputError("a DICOM export refers to the images of a DICOM series, and none were read")
        return self.sources


def _seg(job: Job, path: Path) -> Any:
    from grisaille.io.export.seg import write_seg

    return write_seg(
        job.segments,
        job.images,
        path,
        maker=job.material.maker,
        version=grisaille.__version__,
        labelmap=job.options.labelmap,
    )


def _sr(job: Job, path: Path) -> Any:
    from grisaille.io.export.report import read_seg, write_sr

    seg = job.written.get(Format.SEG)
    if seg is None and job.options.seg is not None:
        seg = read_seg(job.options.seg, job.segments, job.images)
    return write_sr(job.segments, job.images, path, maker=job.material.maker, version=grisaille.__version__, seg=seg)


def _map(job: Job, path: Path) -> Any:
    from grisaille.io.export.parametric import Scale, write_parametric_map

    scores, record = job.material.scores, job.material.record or {}
    if scores is None:
        raise InputError("there are no anomaly scores to make a map of; give the folder of a result")
    method = str(record.get("method", ""))
    maker = job.material.maker
    scale = Scale(
        maker.method if maker else "Scores", _SCALES.get(method, "higher is less like healthy tissue; no unit")
    )
    body = None if job.options.whole_map else job.material.body
    return write_parametric_map(scores, job.images, path, scale=scale, version=grisaille.__version__, body=body)


_SCALES = {
    "mvg": "log(1+exp(SD above healthy)): SD itself above 3; 0: not judged",
    "anomalyclip": "0 to 1, how damaged CLIP calls it; not a probability",
    "autopaint": "SD of healthy tissue from the painted healthy twin",
}
"""What the scores of each method are, in the 64 letters that DICOM has room for."""


def _rtstruct(job: Job, path: Path) -> Any:
    from grisaille.io.export.rtstruct import RoiOrigin, write_rtstruct

    names = {one.number: one.title for one in job.segments.listed}
    volume, maker = job.images.volume, job.material.maker
    write_rtstruct(
        Labels(job.segments.voxels, volume.grid, names, volume.source),
        job.images,
        path,
        origin={one.number: RoiOrigin(one.author.value) for one in job.segments.listed},
        description=f"{maker.method if maker else 'Labels'} findings",
    )


def _image(job: Job, path: Path) -> None:
    write_labels(job.labels, path)


def _csv(job: Job, path: Path) -> None:
    record = job.material.record
    write_findings_csv(job.findings, path, None if record is None else made_by(record))


def _json(job: Job, path: Path) -> None:
    record = job.material.record
    if record is None:
        record = {"grisaille": grisaille.__version__, "notice": RESEARCH_USE, "method": None, "warnings": []}
    # Stand-ins for the ids are put in once, by ``shared``.
    chosen = [one for one in job.material.findings if job.is_chosen(one)]
    uids = {one.tracking_uid for one in chosen}
    findings = [one for one in job.material.plain_findings if one["tracking_uid"] in uids]
    # Of those chosen, as they are now; that of the record may be of others.
    burden = asdict(burden_of(chosen, job.labels, connectivity=job.segments.connectivity))
    write_json(shared({**record, "findings": findings, "burden": burden}, job.options.identity, job.sources), path)


WRITERS: Mapping[Format, Callable[[Job, Path], Any]] = {
    Format.SEG: _seg,
    Format.SR: _sr,
    Format.RTSTRUCT: _rtstruct,
    Format.MAP: _map,
    Format.NIFTI: _image,
    Format.NRRD: _image,
    Format.CSV: _csv,
    Format.JSON: _json,
}
"""How each format is written; what a writer gives stands in ``Job.written`` for those after it."""
