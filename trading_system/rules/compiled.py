"""Decides how the rules are compiled and where their machine code is kept, so that it can never be older than them.

Numba notices an edit of the file of a function, but not of the files that the function calls. Therefore the cache
folder carries a hash of all compiled files, of the Numba version and of the processor.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba

COMPILED_FILES = (
    "compiled.py",
    "detection.py",
    "event_sheet.py",
    "flag_pattern.py",
    "highs_lows.py",
    "interval_table.py",
    "intervals.py",
    "line.py",
    "order_blocks.py",
    "records.py",
    "scan.py",
    "structure.py",
)

_Rule = TypeVar("_Rule", bound=Callable[..., Any])


def sources_hash(folder: Path) -> str:
    """Return the SHA-256 of the compiled files in ``folder``, the Numba version and the processor's name."""
    digest = hashlib.sha256()
    for name in COMPILED_FILES:
        source = (folder / name).read_bytes()
        digest.update(f"{name} {len(source)}\n".encode())
        digest.update(source)
    digest.update(f"{numba.__version__} {llvm.get_host_cpu_name()}".encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the folder of the machine code, made if needed; below the temporary folder if there is no home."""
    name = f"rules-{sources_hash(Path(__file__).parent)}"
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home) / "trading-system" / name
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except (OSError, RuntimeError):
        writable = False
    if not writable:
        folder = Path(tempfile.gettempdir()) / f"trading-system-{os.getuid()}" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


# Numba reads this name when a function is decorated, so it must stand before the first rule is imported.
numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]


def compiled(rule: _Rule) -> _Rule:
    """Compile ``rule`` at its first call and keep the result; with NUMBA_DISABLE_JIT=1 it stays plain Python.

    Division follows numpy (no hidden exceptions) and floating point stays exact, so that both forms agree to the bit.
    """
    return cast("_Rule", numba.njit(cache=True, error_model="numpy")(rule))
