"""What contours enclose, and contours that enclose a mask again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import points_in_poly

from grisaille.imaging.polygons import filled, traced


def drawn(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def random_masks() -> list[np.ndarray]:
    """Salt and pepper, which touches at corners everywhere, and blobs with holes."""
    random = np.random.default_rng(5)
    noise = [random.random(random.integers(1, 25, 2)) < random.random() for _ in range(40)]
    return noise + [gaussian_filter(random.random((30, 40)), 1.5) > 0.5 for _ in range(40)]


def test_a_square_by_hand() -> None:
    square = np.array([[0.5, 0.5], [0.5, 3.5], [2.5, 3.5], [2.5, 0.5]])
    assert np.array_equal(filled([square], (4, 5)), drawn(".....", ".###.", ".###.", "....."))


def test_a_contour_within_another_is_a_hole_and_one_beside_it_another_part() -> None:
    outer = np.array([[-0.5, -0.5], [-0.5, 2.5], [2.5, 2.5], [2.5, -0.5]])
    inner, beside = outer / 3 + 2 / 3, outer / 3 + [2, 4]
    assert np.array_equal(filled([outer, inner, beside], (3, 6)), drawn("###...", "#.#...", "###.#."))


def test_a_keyhole_encloses_no_more_than_its_ring() -> None:
    keyhole = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0], [1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]
    ring = filled([np.array(keyhole) - 0.5], (4, 4))
    assert np.array_equal(ring, drawn("####", "#..#", "#..#", "####"))


@pytest.mark.parametrize("turn", [1, -1])
def test_centres_on_a_line_belong_to_it(turn: int) -> None:
    through_centres = np.array([[1, 1], [1, 3], [3, 3], [3, 1]])[::turn]
    assert np.array_equal(filled([through_centres], (5, 5))[1:4, 1:4], np.ones((3, 3), bool))
    assert filled([through_centres], (5, 5)).sum() == 9
    assert np.array_equal(filled([np.array([[2, 0], [0, 2], [2, 4]])], (3, 5)), drawn("..#..", ".###.", "#####"))


def test_what_lies_outside_is_cut_off() -> None:
    wide = np.array([[-9.5, -9.5], [-9.5, 1.5], [1.5, 1.5], [1.5, -9.5]])
    assert np.array_equal(filled([wide], (3, 3)), drawn("##.", "##.", "..."))
    for shift in (20, -20):
        assert not filled([wide + shift], (3, 3)).any()
    assert not filled([], (3, 3)).any()


def test_random_polygons_hold_the_centres_that_a_point_by_point_test_finds() -> None:
    random = np.random.default_rng(1)
    centres = np.stack(np.mgrid[:30, :28], -1).reshape(-1, 2)
    for _ in range(60):
        polygon = random.random((random.integers(3, 12), 2)) * 40 - 5
        assert np.array_equal(filled([polygon], (30, 28)).ravel(), points_in_poly(centres, polygon))


def test_the_contours_of_a_mask_fill_to_the_mask_whether_toggled_or_one_by_one() -> None:
    for mask in random_masks():
        contours = traced(mask)
        assert np.array_equal(filled(contours, mask.shape), mask)
        alone = [filled([contour], mask.shape) for contour in contours]
        assert np.array_equal(np.any(alone, axis=0) if alone else np.zeros(mask.shape, bool), mask)


def test_straight_runs_have_no_points_in_between() -> None:
    (contour,) = traced(np.ones((40, 60), bool))
    assert len(contour) == 8  # each corner is cut off
    (pixel,) = traced(drawn("...", ".#.", "..."))
    assert np.allclose(sorted(map(tuple, pixel.tolist())), [(0.501, 1), (1, 0.501), (1, 1.499), (1.499, 1)])


def test_vertices_rounded_to_pixels_are_pixels_of_the_mask() -> None:
    for mask in random_masks():
        for contour in traced(mask):
            assert mask[tuple(np.round(contour).astype(int).T)].all()
