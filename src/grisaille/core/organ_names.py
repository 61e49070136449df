"""Names of organs by label number."""

from __future__ import annotations

from dataclasses import replace

from grisaille.core.labels import Labels

TOTAL_FROM = 10
"""Labels without names are taken for TotalSegmentator's if they have at least so many of its numbers and no other."""

_VERTEBRAE = (
    *(f"vertebrae_L{number}" for number in range(5, 0, -1)),
    *(f"vertebrae_T{number}" for number in range(12, 0, -1)),
    *(f"vertebrae_C{number}" for number in range(7, 0, -1)),
)
_RIBS = tuple(f"rib_{side}_{number}" for side in ("left", "right") for number in range(1, 13))

_TOTAL = (
    *("spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas"),
    *("adrenal_gland_right", "adrenal_gland_left", "lung_upper_lobe_left", "lung_lower_lobe_left"),
    *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right", "esophagus", "trachea"),
    *("thyroid_gland", "small_bowel", "duodenum", "colon", "urinary_bladder", "prostate"),
    *("kidney_cyst_left", "kidney_cyst_right", "sacrum", "vertebrae_S1", *_VERTEBRAE),
    *("heart", "aorta", "pulmonary_vein", "brachiocephalic_trunk"),
    *("subclavian_artery_right", "subclavian_artery_left"),
    *("common_carotid_artery_right", "common_carotid_artery_left"),
    *("brachiocephalic_vein_left", "brachiocephalic_vein_right", "atrial_appendage_left"),
    *("superior_vena_cava", "inferior_vena_cava", "portal_vein_and_splenic_vein"),
    *("iliac_artery_left", "iliac_artery_right", "iliac_vena_left", "iliac_vena_right"),
    *("humerus_left", "humerus_right", "scapula_left", "scapula_right", "clavicula_left", "clavicula_right"),
    *("femur_left", "femur_right", "hip_left", "hip_right", "spinal_cord"),
    *("gluteus_maximus_left", "gluteus_maximus_right", "gluteus_medius_left", "gluteus_medius_right"),
    *("gluteus_minimus_left", "gluteus_minimus_right", "autochthon_left", "autochthon_right"),
    *("iliopsoas_left", "iliopsoas_right", "brain", "skull", *_RIBS, "sternum", "costal_cartilages"),
)

TOTALSEGMENTATOR = dict(enumerate(_TOTAL, start=1))
"""The 117 classes of TotalSegmentator's task ``total``, version 2 (Wasserthal et al. 2023, doi 10.1148/ryai.230024)."""


def named(labels: Labels, called: str) -> tuple[Labels, tuple[str, ...]]:
    """Labels in which every number has a name, and what has to be said of that.

    Names that the labels bring win. Without any, the numbers of TotalSegmentator's ``total`` task are
    known, if there are enough of them to believe it; every other number is ``organ 17``.

    Parameters
    ----------
    called
        The name of the file or layer, for the sentences.
    """
    ids = labels.ids
    own = {number: name for number in ids if (name := labels.names.get(number, "").strip())}
    if not own and len(ids) >= TOTAL_FROM and all(number in TOTALSEGMENTATOR for number in ids):
        sentence = (
            f"{called} names no organ; its numbers were read as those of TotalSegmentator's task total, version 2"
        )
        return replace(labels, names={number: TOTALSEGMENTATOR[number] for number in ids}), (sentence,)
    without = [number for number in ids if number not in own]
    said: tuple[str, ...] = ()
    if without:
        listed = ", ".join(str(number) for number in without[:5]) + (", and more" if len(without) > 5 else "")
        said = (
            f"{called} has no names for {len(without)} of its {len(ids)} organs ({listed}); they go by their numbers",
        )
    return replace(labels, names={number: own.get(number, f"organ {number}") for number in ids}), said
