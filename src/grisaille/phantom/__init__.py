"""Synthetic PET/CT patients: body, lesions, cohorts; seeded, with truth.

>>> from grisaille import phantom
>>> cases = phantom.cohort(3, seed=0, lesions=False, scan=phantom.Scan(station="thigh", ct_spacing_mm=8))
"""

from grisaille.phantom.cohorts import Phantom, cohort, patient
from grisaille.phantom.lesions import Host, Lesion, Side
from grisaille.phantom.person import Arms
from grisaille.phantom.scan import Scan, Station
from grisaille.phantom.tissues import Tissue

__all__ = ["Arms", "Host", "Lesion", "Phantom", "Scan", "Side", "Station", "Tissue", "cohort", "patient"]
