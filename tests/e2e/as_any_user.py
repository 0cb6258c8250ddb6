"""Becomes the program given behind it, bound by the modes of files as every user but root is.

Root may open what its owner has closed, so what a closed folder does could not be seen as root. What lets it is a
capability; one that is out of the bounding set is gone with the next program that this process becomes.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_CAPBSET_DROP = 24
BEYOND_MODES = (1, 2, 3)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER


def be_bound() -> None:
    """Give up what lets root pass closed doors. Raises: OSError when the system does not let it go."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in BEYOND_MODES:
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            number = ctypes.get_errno()
            raise OSError(number, f"capability {capability} stays: {os.strerror(number)}")


if __name__ == "__main__":
    if os.geteuid() == 0:
        be_bound()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  no shell is meant
