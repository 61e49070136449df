"""From healthy studies to a fitted, calibrated method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from grisaille.core.config import Config
from grisaille.core.errors import ConfigError, OutputError
from grisaille.core.run import Run
from grisaille.core.safe_write import require_place
from grisaille.core.study import Case
from grisaille.flows.load import find_weights, save_method
from grisaille.flows.suitable import suitable_cases
from grisaille.methods import catalog
from grisaille.methods.base import Method, Resumable
from grisaille.weights.store import WeightsFile


def train(
    name: str,
    cases: Sequence[Case],
    *,
    out: str | Path | None = None,
    config: Config | None = None,
    files: Mapping[str, WeightsFile] | None = None,
    work: str | Path | None = None,
    run: Run | None = None,
) -> Method:
    """Fit the method ``name`` on healthy cases and calibrate it, leaving patients out.

    Parameters
    ----------
    cases
        Read lazily, more than once; none may hold a lesion, but for methods that learn around
        lesions whose masks are given as truth.
    out
        Where the method is written, whole or not at all; nowhere if None.
    config
        Its settings; the defaults if None.
    files
        From ``flows.load.find_weights``; looked for on this machine if None.
    work
        A folder that keeps what is done, so that the same call goes on after a kill; it belongs to
        these cases. For methods that take long.

    Raises
    ------
    ConfigError
        If there is no case, one is not healthy, the settings belong to another method, or the
        method has no use for ``work``.
    InputError
        If a case cannot be learned from; says which.
    OutputError
        Before the fit, if nothing could be written at ``out``.
    """
    if out is not None:
        _require_place(Path(out))
    wanted = catalog.config_class(name)
    config = wanted() if config is None else config
    if not isinstance(config, wanted):
        raise ConfigError(f"{name} takes settings of {wanted.__name__}, found {type(config).__name__}")
    kind = catalog.method_class(name)
    checked = suitable_cases(cases, around_lesions=kind.learns_around_lesions)
    files = find_weights(name, config) if files is None else files
    method = _fitted(kind.create(config, files), checked, work, run or Run())
    if out is not None:
        save_method(method, out)
    return method


def _fitted(method: Method, cases: Sequence[Case], work: str | Path | None, run: Run) -> Method:
    if work is None:
        return method.fit(cases, run)
    if not isinstance(method, Resumable):
        raise ConfigError(
            f"{method.name} is fitted in one go and keeps nothing to go on with; leave the work folder out"
        )
    require_place(work)
    return method.fit_in(Path(work), cases, run)


def _require_place(out: Path) -> None:
    if out.is_dir():
        raise OutputError(f"{out} is a folder, expected the name of a file to write, such as model.safetensors")
    require_place(out.parent)
