"""All findings of a study in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grisaille.core.counted import counted


class Delineation(StrEnum):
    """How the volume was marked that a burden adds up; volumes of different delineations do not compare."""

    AS_DRAWN = "mask as drawn"


@dataclass(frozen=True)
class Burden:
    """The findings of one label image together.

    Parameters
    ----------
    findings
        How many, joined by ``connectivity`` (6, 18 or 26 neighbours).
    volume_ml
        Their volumes added up: the total metabolic tumour volume (TMTV) where lesions were marked on a PET.
    tlg
        Total lesion glycolysis of those in the PET, in ml times SUVbw; None without a PET in SUVbw.
    suv_max
        Of the hottest; None without a PET in SUVbw.
    dmax_mm
        Largest distance between the centroids of two findings; None unless there are two.
    dmax_voxels_mm
        Largest distance between the centres of two marked voxels; None unless there are two findings.
    delineation
        What the volume is that of.
    """

    findings: int
    volume_ml: float
    tlg: float | None
    suv_max: float | None
    dmax_mm: float | None
    dmax_voxels_mm: float | None
    connectivity: int = 26
    delineation: Delineation = Delineation.AS_DRAWN

    def __str__(self) -> str:
        """One line for people: ``7 findings, 154 ml, TLG 812, SUVmax 14.2, Dmax 310 mm, connectivity 26``."""
        said = [counted(self.findings, "finding") if self.findings else "no findings"]
        if self.findings:
            said.append(f"{_figures(self.volume_ml)} ml")
        for name, number, unit in (("TLG", self.tlg, ""), ("SUVmax", self.suv_max, ""), ("Dmax", self.dmax_mm, " mm")):
            if number is not None:
                said.append(f"{name} {_figures(number)}{unit}")
        return ", ".join([*said, f"connectivity {self.connectivity}"])


def _figures(number: float) -> str:
    """Three digits that count; all of those before the point."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
