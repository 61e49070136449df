"""Measures of findings against digital bodies whose answers are known.

    python benchmarks/measures.py [--placements 20]

Spheres, ellipsoids and boxes are laid into voxels of 1, 2, 4 and 4 x 4 x 10 mm at random sub-voxel
places and, but for the spheres, in random directions (boxes turn about z only, so that the answer in
an axial slice is known). A voxel belongs to a body if its centre does. Errors are signed: the mean
over the placements, and the worst. Beside our Feret diameter stand those of SimpleITK and scikit-image.
SUVpeak is read of images whose mean in a 1 ml sphere is known.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from reporting.tables import markdown, write
from scipy.spatial.transform import Rotation
from skimage.measure import regionprops

from grisaille.core.finding import Finding
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.findings import find_findings
from grisaille.imaging.suv_peak import PEAK_RADIUS_MM

SPACINGS_MM = ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (4.0, 4.0, 4.0), (10.0, 4.0, 4.0))
"""Along z, y, x."""

SIGMA_MM = 6.0
"""Of the Gaussian hot spot."""


@dataclass(frozen=True)
class Body:
    """A convex body.

    ``holds`` tells which (..., 3) places (z, y, x) from its centre, along its own axes, lie in it.
    ``answers`` gives long axis, short axis and Feret diameter in mm for a turn (3, 3).
    """

    name: str
    half_mm: tuple[float, float, float]
    volume_ml: float
    holds: Callable[[np.ndarray], np.ndarray]
    answers: Callable[[np.ndarray], tuple[float, float, float]]
    turns_about_z: bool = False


def ball(radius_mm: float) -> Body:
    return ellipsoid((radius_mm,) * 3, f"sphere, radius {radius_mm:g} mm")


def ellipsoid(half_mm: tuple[float, float, float], name: str = "") -> Body:
    def holds(places: np.ndarray) -> np.ndarray:
        return ((places / half_mm) ** 2).sum(axis=-1) <= 1

    def answers(turn: np.ndarray) -> tuple[float, float, float]:
        # The largest axial section goes through the centre; it is the ellipse of the form's (y, x) part.
        form = turn @ np.diag(1 / np.square(half_mm)) @ turn.T
        short, long = np.sort(2 / np.sqrt(np.linalg.eigvalsh(form[1:, 1:])))
        return float(long), float(short), 2 * max(half_mm)

    volume_ml = 4 / 3 * np.pi * float(np.prod(half_mm)) / 1000
    return Body(name or f"ellipsoid, half axes {sizes(half_mm)} mm", half_mm, volume_ml, holds, answers)


def box(sides_mm: tuple[float, float, float]) -> Body:
    z, y, x = sides_mm

    def holds(places: np.ndarray) -> np.ndarray:
        return (np.abs(places) <= np.asarray(sides_mm) / 2).all(axis=-1)

    def answers(_: np.ndarray) -> tuple[float, float, float]:
        across = np.hypot(y, x)
        return float(across), 2 * y * x / float(across), float(np.hypot(across, z))

    half_mm = (z / 2, y / 2, x / 2)
    return Body(f"box, sides {sizes(sides_mm)} mm", half_mm, z * y * x / 1000, holds, answers, turns_about_z=True)


def sizes(lengths: tuple[float, ...]) -> str:
    return " x ".join(f"{one:g}" for one in lengths)


BODIES = (ball(5), ball(10), ball(20), ellipsoid((20, 12, 8)), box((30, 24, 16)))


def laid(body: Body, spacing_mm: tuple[float, ...], draw: np.random.Generator) -> tuple[np.ndarray, Grid, np.ndarray]:
    """The body's voxels at a random place and turn, their grid, and the turn."""
    angles = draw.uniform(-180, 180, 3) * ((0, 0, 1) if body.turns_about_z else (1, 1, 1))
    xyz = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    turn = xyz[::-1, ::-1]  # listed z, y, x
    reach = float(np.linalg.norm(body.half_mm))
    shape = [int(2 * np.ceil(reach / step) + 5) for step in spacing_mm]
    grid = Grid.from_spacing(shape, spacing_mm)
    centre = (np.asarray(shape) // 2 + draw.uniform(-0.5, 0.5, 3)) * spacing_mm
    places = grid.to_mm(np.stack(np.indices(shape), axis=-1)) - centre
    return body.holds(places @ turn), grid, turn


def measured(mask: np.ndarray, grid: Grid, suv: np.ndarray | None = None) -> Finding:
    voxels = np.ones(grid.shape, np.float32) if suv is None else suv.astype(np.float32)
    study = Study.of(Volume(voxels, grid, Modality.PET, Unit.SUVBW))
    return max(find_findings(Labels(mask, grid), study), key=lambda one: one.volume_ml)


def feret_of_itk(mask: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputeFeretDiameterOn()
    shapes.Execute(image)
    return float(shapes.GetFeretDiameter(1))


def feret_of_skimage(mask: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(regionprops(mask.astype(np.uint8), spacing=spacing_mm)[0].feret_diameter_max)
    except ValueError:  # it has no answer for what lies in one slice
        return float("nan")


def row_of(body: Body, spacing_mm: tuple[float, ...], placements: int) -> dict[str, object]:
    """Errors of one body in one kind of voxel."""
    draw = np.random.default_rng(0)
    errors = []
    for _ in range(placements):
        mask, grid, turn = laid(body, spacing_mm, draw)
        if not mask.any():  # between the slices
            continue
        long, short, feret = body.answers(turn)
        one = measured(mask, grid)
        errors.append(
            (
                100 * (one.volume_ml / body.volume_ml - 1),
                one.long_axis_mm - long,
                one.short_axis_mm - short,
                one.feret_mm - feret,
                feret_of_itk(mask, spacing_mm) - feret,
                feret_of_skimage(mask, spacing_mm) - feret,
            )
        )
    names = ("volume %", "long mm", "short mm", "Feret mm", "Feret of SimpleITK mm", "Feret of scikit-image mm")
    columns = dict(zip(names, np.transpose(errors), strict=True))
    return {
        "body": body.name,
        "voxel mm": sizes(spacing_mm[::-1]),
        "seen": len(errors),
        **{name: mean_and_worst(found) for name, found in columns.items()},
        "worst in voxel diagonals": float(
            max(np.abs(columns[name]).max() for name in names[1:4]) / np.linalg.norm(spacing_mm)
        ),
    }


def mean_and_worst(errors: np.ndarray) -> str:
    known = errors[np.isfinite(errors)]
    if not len(known):
        return "none"
    worst = known[np.argmax(np.abs(known))]
    none = f", none of {len(errors) - len(known)}" if len(known) < len(errors) else ""
    return f"{known.mean():+.1f} ({worst:+.1f}){none}"


def gaussian_mean(distance_mm: float) -> float:
    """Mean of a Gaussian of height 1 in a 1 ml sphere so far from its top, by fine summing."""
    step = np.linspace(-PEAK_RADIUS_MM, PEAK_RADIUS_MM, 121)
    z, y, x = np.meshgrid(step, step, step, indexing="ij")
    inside = z**2 + y**2 + x**2 <= PEAK_RADIUS_MM**2
    squares = (z[inside] + distance_mm) ** 2 + y[inside] ** 2 + x[inside] ** 2
    return float(np.exp(-squares / 2 / SIGMA_MM**2).mean())


def peak_row(spacing_mm: tuple[float, ...], placements: int) -> dict[str, object]:
    """Errors of SUVpeak in per cent, of images of one kind of voxel."""
    draw = np.random.default_rng(1)
    best = gaussian_mean(0.0)
    errors: dict[str, list[float]] = {}
    for _ in range(placements):
        mask, grid, _ = laid(ball(12), spacing_mm, draw)
        places = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
        top = grid.to_mm(np.asarray(grid.shape) // 2 + draw.uniform(-0.5, 0.5, 3))
        apart = np.linalg.norm(places - top, axis=-1)
        slope = draw.normal(size=3)
        slope /= np.linalg.norm(slope)
        ramp = 20 + 0.2 * (places @ slope)
        spot = measured(mask, grid, np.exp(-(apart**2) / 2 / SIGMA_MM**2))
        for name, told, truth in (
            ("constant", measured(mask, grid, np.full(grid.shape, 7.0)).suv_peak, 7.0),
            ("ramp", measured(mask, grid, ramp).suv_peak, ramp[mask].max()),
            ("hot sphere, radius 12 mm", measured(mask, grid, 5.0 * mask).suv_peak, 5.0),
            ("spot, at its hottest voxel", spot.suv_peak_at_max, gaussian_mean(float(apart[mask].min()))),
            ("spot, best voxel against best place", spot.suv_peak, best),
        ):
            errors.setdefault(name, []).append(100 * (told / truth - 1))
    return {
        "voxel mm": sizes(spacing_mm[::-1]),
        **{name: mean_and_worst(np.asarray(found)) for name, found in errors.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--placements", type=int, default=20)
    placements = parser.parse_args().placements
    bodies = [row_of(body, spacing, placements) for body in BODIES for spacing in SPACINGS_MM]
    peaks = [peak_row(spacing, placements) for spacing in SPACINGS_MM]
    print(f"Error, mean and worst of {placements} placements\n\n{markdown(bodies)}")
    print(f"\nError of SUVpeak in per cent, mean and worst\n\n{markdown(peaks)}")
    print(f"\nAxes and Feret: at most {max(row['worst in voxel diagonals'] for row in bodies):.2f} voxel diagonals off")
    write("measures", {"placements": placements, "bodies": bodies, "suv_peak_percent": peaks})


if __name__ == "__main__":
    main()
