"""What of a label image becomes a segment: each finding, or each label number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.errors import InputError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.imaging.findings import components
from grisaille.io.export.codes import NEOPLASM, Term

MOST_SEGMENTS = 1000
"""More would take minutes to write and nothing to show."""

_CENTRE_TOLERANCE_MM = 0.05
_VOLUME_TOLERANCE = 1e-4
_LONGEST_TITLE = 64


class Author(StrEnum):
    """Who marked a segment, as DICOM says it: a method, a person on top of a method, or a person."""

    METHOD = "AUTOMATIC"
    BOTH = "SEMIAUTOMATIC"
    PERSON = "MANUAL"


@dataclass(frozen=True)
class Maker:
    """The method that made labels: its name, the version of grisaille, and what it was set to, as short texts."""

    method: str
    version: str
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Segment:
    """One thing of an export; ``finding`` is None where a label in several pieces is one segment."""

    number: int
    title: str
    tracking_id: str
    tracking_uid: str
    author: Author
    finding: Finding | None
    kind: Term = NEOPLASM


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments, numbered from 1, and (z, y, x) uint16 the number of that of each voxel, 0 for none.

    ``connectivity`` is that of their findings.
    """

    listed: tuple[Segment, ...]
    voxels: npt.NDArray[np.uint16]
    connectivity: int = 26


@dataclass(frozen=True)
class Choice:
    """What is exported of labels.

    Parameters
    ----------
    include
        Ids of findings, or label numbers where they are taken together; all if empty.
    together
        One segment a label number, in however many pieces it is; else one a finding.
    kind
        What the segments are said to be.
    """

    include: Collection[int] = ()
    together: bool = False
    kind: Term = NEOPLASM


def segments_of(
    labels: Labels, findings: Sequence[Finding], maker: Maker | None, choice: Choice | None = None
) -> Segments:
    """The segments of labels whose findings are known.

    Raises
    ------
    InputError
        If there is nothing to export, too much, or the findings are not those of these labels.
    """
    choice = choice or Choice()
    groups = _together(findings) if choice.together else [(one.id, (one,)) for one in findings]
    missing = sorted(set(choice.include) - {number for number, _ in groups})
    if missing:
        what = "label" if choice.together else "finding"
        raise InputError(
            f"there is no {what} {', '.join(map(str, missing))}; there are {_listed([one for one, _ in groups])}"
        )
    chosen = [(number, members) for number, members in groups if not choice.include or number in choice.include]
    if not chosen:
        raise InputError("nothing to export: the labels are empty; mark something, or lower the threshold")
    if len(chosen) > MOST_SEGMENTS:
        raise InputError(
            f"{len(chosen)} pieces are too many segments for one object, expected at most {MOST_SEGMENTS}; export each "
            "label as one segment (--together), or some of them (--include)"
        )
    listed = tuple(
        _segment(number, members, labels, maker, choice) for number, (_, members) in enumerate(chosen, start=1)
    )
    if choice.together:
        table = np.zeros(65536, dtype=np.uint16)
        for segment, (label, _) in zip(listed, chosen, strict=True):
            table[label] = segment.number
        return Segments(listed, table[labels.voxels], findings[0].connectivity)
    numbers = {members[0].id: number for number, (_, members) in enumerate(chosen, start=1)}
    return Segments(listed, _voxels(labels, findings, numbers), findings[0].connectivity)


def require_apart(segments: Segments) -> None:
    """Raise ``InputError`` if a segment is more than one finding, since measures are those of findings."""
    joined = [one.title for one in segments.listed if one.finding is None]
    if joined:
        raise InputError(
            f"{joined[0]} is in several pieces, and a report measures each of them; leave out --together, so that each "
            "piece is a segment of its own"
        )


def _together(findings: Sequence[Finding]) -> list[tuple[int, tuple[Finding, ...]]]:
    by_label: dict[int, list[Finding]] = {}
    for finding in findings:
        by_label.setdefault(finding.label, []).append(finding)
    return [(label, tuple(by_label[label])) for label in sorted(by_label)]


def _segment(number: int, members: tuple[Finding, ...], labels: Labels, maker: Maker | None, choice: Choice) -> Segment:
    first = members[0]  # the largest piece: it carries the label's own number
    name = labels.names.get(first.label, "")
    plain = f"{'Label' if choice.together else 'Finding'} {first.label if choice.together else first.id}"
    of_piece = f" ({first.id})" if name and first.id != first.label else ""
    edited = any(one.edited for one in members)
    return Segment(
        number=number,
        title=_clean(name, _LONGEST_TITLE - len(of_piece)) + of_piece if name else plain,
        tracking_id=f"grisaille {plain.lower()}",
        tracking_uid=first.tracking_uid,
        author=Author.PERSON if maker is None else Author.BOTH if edited else Author.METHOD,
        finding=first if len(members) == 1 else None,
        kind=choice.kind,
    )


def _clean(name: str, longest: int) -> str:
    """A name as DICOM allows it in one line."""
    return "".join("/" if letter == "\\" else letter for letter in name if letter.isprintable())[:longest].strip()


def _voxels(labels: Labels, findings: Sequence[Finding], numbers: Mapping[int, int]) -> npt.NDArray[np.uint16]:
    """Where each finding lies: its label where that is one piece, else the piece of its place and volume."""
    pieces = Counter(one.label for one in findings)
    parts = components(labels.voxels, findings[0].connectivity)
    boxes = ndimage.find_objects(parts)
    owners = np.zeros(len(boxes) + 1, dtype=np.int64)
    centres, volumes, of_label = _pieces(labels, parts, boxes)
    if len(boxes) != len(findings):
        raise _not_theirs(f"{len(boxes)} pieces and {len(findings)} findings")
    for finding in findings:
        own = np.flatnonzero((of_label == finding.label) & (owners[1:] == 0))
        centre = (finding.centroid_s_mm, finding.centroid_p_mm, finding.centroid_l_mm)
        apart = np.abs(centres[own] - centre).max(axis=1, initial=0.0)
        other = np.abs(volumes[own] / finding.volume_ml - 1)
        fits = np.flatnonzero((apart <= _CENTRE_TOLERANCE_MM) & (other <= _VOLUME_TOLERANCE))
        if not fits.size or (pieces[finding.label] == 1 and len(own) != 1):
            raise _not_theirs(f"no piece where finding {finding.id} was measured")
        owners[1 + own[fits[0]]] = finding.id
    table = np.zeros(len(owners), dtype=np.uint16)
    for part, finding_id in enumerate(owners):
        table[part] = numbers.get(int(finding_id), 0) if part else 0
    return table[parts]


def _pieces(
    labels: Labels, parts: npt.NDArray[np.uint32], boxes: Sequence[tuple[slice, ...]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Centre (z, y, x) in LPS mm, volume in ml and label number of each component."""
    centres, volumes, of_label = np.empty((len(boxes), 3)), np.empty(len(boxes)), np.empty(len(boxes), dtype=np.int64)
    for at, box in enumerate(boxes):
        indices = np.argwhere(parts[box] == at + 1) + [side.start for side in box]
        centres[at] = labels.grid.to_mm(indices.mean(axis=0))
        volumes[at] = len(indices) * labels.grid.voxel_ml
        of_label[at] = labels.voxels[tuple(indices[0])]
    return centres, volumes, of_label


def _not_theirs(found: str) -> InputError:
    return InputError(
        f"the findings are not those of these labels ({found}): the labels were changed after they were measured; "
        "say that they were edited (--edited, edited=True), and they are measured again"
    )


def _listed(numbers: Sequence[int], at_most: int = 12) -> str:
    more = f" and {len(numbers) - at_most} more" if len(numbers) > at_most else ""
    return (", ".join(map(str, numbers[:at_most])) + more) if numbers else "none"
