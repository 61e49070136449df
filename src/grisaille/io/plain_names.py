"""Files under names that every library takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grisaille.core.errors import UnreadableFile


@contextmanager
def named_plainly(path: Path, *beside: Path) -> Iterator[Path]:
    """``path``, or a link to it, to be read or written through, where its name is not Unicode.

    SimpleITK ends the whole process at such a name, the viewer with it. Only Linux has them.

    Parameters
    ----------
    beside
        Files that are found by their names in the folder of ``path``.

    Raises
    ------
    UnreadableFile
        If the name of one of those is not Unicode either.
    """
    if _is_unicode(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="grisaille-") as folder:
        for file in beside:
            if not _is_unicode(file.name):
                raise UnreadableFile(f"the name of {file.name} beside {path.name} is not Unicode; rename the two")
            Path(folder, file.name).symlink_to(file.absolute())
        suffix = "".join(one for one in path.suffixes[-2:] if _is_unicode(one))
        link = Path(folder, f"image{suffix}")
        link.symlink_to(path.absolute())
        yield link


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
