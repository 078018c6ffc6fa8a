"""What permissions forbid, seen by the superuser too."""

import os
from contextlib import chdir, contextmanager

_NOBODY = 65534


@contextmanager
def unprivileged(folder):
    """Runs the body in a folder, as somebody who may do there what its permissions say.

    Paths must be relative: the folders above are pytest's, and may be closed.
    """
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, _NOBODY, -1)
    with chdir(folder):
        if is_root:
            os.seteuid(_NOBODY)
        try:
            yield
        finally:
            if is_root:
                os.seteuid(0)
