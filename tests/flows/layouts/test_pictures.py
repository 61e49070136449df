"""Data sets of plain pictures, made up: which pictures are found, what they are, which known set it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from grisaille.core.errors import InputError, NoImages, UnreadableFile
from grisaille.flows.layouts.pictures import PictureSet, find_pictures
from grisaille.flows.layouts.published_pictures import BR35H, BRAIN_MRI, HEAD_CT, LIVER_CT


def touch(root: Path, *names: str) -> Path:
    """Empty files: finding reads no picture."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def told(found: PictureSet) -> dict[str, bool]:
    return {exam.path.name: exam.is_abnormal for exam in found.exams}


def test_no_and_yes_in_any_letters_are_healthy_and_abnormal_other_files_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "No/1 no.jpeg", "No/N1.JPG", "No/._N1.JPG", "No/Thumbs.db", "YES/Y1.png", "pred/p.png")
    found = find_pictures(tmp_path)
    assert told(found) == {"1 no.jpeg": False, "N1.JPG": False, "Y1.png": True}
    assert found.counted() == (2, 1)
    assert found.known is None
    assert "BrainMRI has 98 and 155, Br35H has 1500 and 1500" in found.remark
    assert not any(exam.mask for exam in found.exams)
    assert len({exam.key for exam in found.exams}) == 3


@pytest.mark.parametrize(("known", "healthy", "abnormal"), [(BRAIN_MRI, 98, 155), (BR35H, 1500, 1500)])
def test_the_known_sets_of_no_and_yes_are_told_by_their_number(tmp_path, known, healthy, abnormal) -> None:
    touch(tmp_path, *(f"no/{n}.jpg" for n in range(healthy)), *(f"yes/{n}.jpg" for n in range(abnormal)))
    assert find_pictures(tmp_path).known is known


def test_a_set_one_folder_deeper_is_found_and_its_copy_beside_does_not_count_twice(tmp_path: Path) -> None:
    touch(tmp_path, "brain_tumor_dataset/no/a.jpg", "brain_tumor_dataset/yes/b.jpg")
    assert told(find_pictures(tmp_path)) == {"a.jpg": False, "b.jpg": True}
    touch(tmp_path, "no/a.jpg", "yes/b.jpg")  # as Kaggle packs it
    assert len(find_pictures(tmp_path).exams) == 2


def head_ct(root: Path, labels: str, *names: str) -> Path:
    touch(root, *(f"head_ct/{name}" for name in names))
    (root / "labels.csv").write_text(labels, encoding="utf-8-sig")
    return root


@pytest.mark.parametrize("deeper", ["", "head_ct/"])
def test_head_ct_takes_its_labels_by_number_spaces_or_not(tmp_path: Path, deeper: str) -> None:
    head_ct(tmp_path, "id, hemorrhage\n0,1\n 1, 0\n\n", f"{deeper}000.png", f"{deeper}001.png")
    assert told(find_pictures(tmp_path)) == {"000.png": True, "001.png": False}


def test_all_of_head_ct_is_known(tmp_path: Path) -> None:
    labels = "\n".join(["id, hemorrhage", *(f"{number},{int(number < 100)}" for number in range(200))])
    head_ct(tmp_path, labels, *(f"{number:03d}.png" for number in range(200)))
    assert find_pictures(tmp_path).known is HEAD_CT


@pytest.mark.parametrize("img", ["", "img/", "IMG/"])
def test_bmad_has_masks_of_the_same_name_where_it_has_a_label_folder(tmp_path: Path, img: str) -> None:
    root = touch(
        tmp_path / "Liver_AD",
        f"test/good/{img}0.png",
        f"test/Ungood/{img}1.PNG",
        "test/Ungood/label/1.png",
        "train/good/9.png",
        "valid/Ungood/img/8.png",
    )
    for place in (root, tmp_path):
        found = find_pictures(place)
        assert told(found) == {"0.png": False, "1.PNG": True}
        assert [exam.mask for exam in found.exams] == [None, root / "test/Ungood/label/1.png"]
        assert found.known is LIVER_CT
        assert "told by the folder's name" in found.remark


def test_bmad_without_masks_or_of_another_organ_is_no_known_set(tmp_path: Path) -> None:
    found = find_pictures(touch(tmp_path / "Chest_AD", "test/good/0.png", "test/ungood/1.png"))
    assert found.known is None
    assert not any(exam.mask for exam in found.exams)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoImages, match="it is no folder"):
        find_pictures(tmp_path / "absent")
    with pytest.raises(NoImages, match=r"no data set of pictures was found in it; looked for no/ and yes/"):
        find_pictures(touch(tmp_path / "half", "yes/1.png"))
    with pytest.raises(InputError, match="no healthy picture was found, and AUROC is not defined"):
        find_pictures(touch(tmp_path / "ill", "yes/1.png", "no/readme.txt"))
    with pytest.raises(InputError, match="no abnormal picture was found"):
        find_pictures(touch(tmp_path / "well", "no/1.png", "yes/readme.txt"))
    for name in ("Brain_AD", "Liver_AD"):
        touch(tmp_path / "both" / name, "test/good/0.png", "test/Ungood/1.png")
    with pytest.raises(InputError, match=r"several data sets of pictures \(Brain_AD, Liver_AD\)"):
        find_pictures(tmp_path / "both")
    touch(tmp_path / "bmad", "test/good/0.png", "test/Ungood/1.png", "test/Ungood/2.png", "test/Ungood/label/1.png")
    with pytest.raises(NoImages, match=r"2\.png has no mask of its name in test.Ungood.label"):
        find_pictures(tmp_path / "bmad")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("id,bleeding\n0,1\n", "expected the columns id and hemorrhage"),
        ("", "expected the columns id and hemorrhage"),
        ("id,hemorrhage\n0,yes\n", "expected the columns id and hemorrhage"),
        ("id,hemorrhage\n0\n", "expected the columns id and hemorrhage"),
        ("id,hemorrhage\n0,1\n", "differ at 1;"),
        ("id,hemorrhage\n0,1\n1,0\n2,0\n", "differ at 2;"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: str, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        find_pictures(head_ct(tmp_path, labels, "000.png", "001.png"))


def test_pictures_of_head_ct_have_a_number_each(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no number for a name"):
        find_pictures(head_ct(tmp_path / "a", "id,hemorrhage\n0,1\n", "first.png"))
    with pytest.raises(UnreadableFile, match="two pictures have the same number"):
        find_pictures(head_ct(tmp_path / "b", "id,hemorrhage\n0,1\n", "0.png", "000.png"))
