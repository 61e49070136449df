"""What can go wrong, as a small tree.

::

    GrisailleError
    +-- InputError              the data given cannot be used as it is
    |   +-- UnreadableFile      a file is damaged, truncated or of an unknown kind
    |   +-- NoImages            nothing that grisaille reads was found
    |   +-- AmbiguousSeries     several series of one modality: one has to be named
    |   |   +-- SeveralFrames   several images at each place: one of them has to be chosen
    |   +-- IrregularSeries     slices that make no volume: beside one another, or without a place
    |   |   +-- UnevenSlices    slices missing or unevenly spaced: interpolated if that is asked for
    |   +-- UnknownUnit         what the numbers mean was not said
    |   +-- SuvRefused          SUV cannot be computed without guessing
    |   +-- GridMismatch        two things lie on different grids
    |   +-- ShapeError          an array has the wrong shape
    |   +-- UnsuitableVolume    readable, but nothing that a method can work on
    +-- OutputError             a result could not be written
    +-- ConfigError             a setting is unknown or out of its bounds
    +-- WeightsError            a weights file is missing, damaged or of another model
    |   +-- MissingWeights
    |   +-- DamagedWeights
    |   +-- WeightsMismatch
    +-- MissingDependency       an optional package is not installed
    +-- OutOfMemory             neither the device nor the CPU had enough memory
    +-- Cancelled               the user stopped the run

Every message says what was found, what was expected and what to do; it names the
file or the layer and never its patient.
"""


class GrisailleError(Exception):
    """Base of all errors that grisaille raises on purpose."""


class InputError(GrisailleError):
    """The data given cannot be used as it is."""


class UnreadableFile(InputError):
    """A file is damaged, truncated or of an unknown kind."""


class NoImages(InputError):
    """Nothing that grisaille reads was found."""


class AmbiguousSeries(InputError):
    """Several series of one modality were found; one has to be named."""


class SeveralFrames(AmbiguousSeries):
    """A series has several images at each place (phases, gates, time frames); one of them has to be chosen.

    ``frames`` says what tells them apart, in their order.
    """

    def __init__(self, message: str, frames: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.frames = frames


class IrregularSeries(InputError):
    """Slices make no volume: some have no place, lie beside the others, or share one."""


class UnevenSlices(IrregularSeries):
    """Slices are missing or unevenly spaced; ``OnIrregular.RESAMPLE`` interpolates between them."""


class UnknownUnit(InputError):
    """What the numbers of a volume mean was not said."""


class SuvRefused(InputError):
    """SUV cannot be computed from what the file says without guessing."""


class GridMismatch(InputError):
    """Two things that must lie on one grid do not."""


class ShapeError(InputError):
    """An array has the wrong shape."""


class UnsuitableVolume(InputError):
    """A volume was read but holds nothing that a method can work on."""


class OutputError(GrisailleError):
    """A result could not be written; nothing half-written was left."""


class ConfigError(GrisailleError):
    """A setting is unknown or out of its bounds."""


class WeightsError(GrisailleError):
    """A weights file cannot be used."""


class MissingWeights(WeightsError):
    """A weights file was not found in any of the places searched."""


class DamagedWeights(WeightsError):
    """A weights file does not have the hash or the content it should have."""


class WeightsMismatch(WeightsError):
    """A weights file is sound but belongs to another model or recipe."""


class MissingDependency(GrisailleError):
    """An optional package is not installed."""


class OutOfMemory(GrisailleError):
    """Neither the device nor the CPU had enough memory."""


class Cancelled(GrisailleError):
    """The user stopped the run."""

    def __init__(self, message: str = "cancelled") -> None:
        super().__init__(message)
