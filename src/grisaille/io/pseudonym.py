"""Names that stand in for identifiers, so that none of them reaches a log, a layer or a result."""

from __future__ import annotations

import hashlib

_SALT = b"grisaille pseudonym 1\0"


def pseudonym(uid: str) -> str:
    """Twelve hexadecimal digits that stand for ``uid``: equal for equal identifiers, empty for none.

    The salt is public, so that two computers agree; whoever can list all identifiers can
    undo it. It keeps identifiers out of sight, it does not make data anonymous.
    """
    return hashlib.sha256(_SALT + uid.encode(errors="surrogateescape")).hexdigest()[:12] if uid else ""
