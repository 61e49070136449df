"""The choice whether an export says whose it is; opens no DICOM library."""

from __future__ import annotations

from enum import StrEnum


class Identity(StrEnum):
    """Whose data an export says it holds: ``IDENTIFIED`` as the source, ``DEIDENTIFIED`` under a pseudonym."""

    IDENTIFIED = "identified"
    DEIDENTIFIED = "de-identified"

    @property
    def sentence(self) -> str:
        """What will be in a DICOM export, for showing before it is written."""
        return _SENTENCES[self]


_SENTENCES = {
    Identity.IDENTIFIED: (
        "identified: patient name, id, birth date, sex, accession number and study date as in the source; it belongs "
        "where the source belongs"
    ),
    Identity.DEIDENTIFIED: (
        "de-identified: a pseudonym in place of name and id, no birth date, sex, accession number or dates, and other "
        "UIDs; an archive that holds the source will not find the images that it refers to"
    ),
}
