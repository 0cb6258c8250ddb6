"""Which errors are shown as one sentence: those that say what a person can do."""

from __future__ import annotations

import errno
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from trading_system.known_errors import _KNOWN, is_known, sentence_of
from trading_system.rules.parameters import ParameterError
from trading_system.settings import SettingsError
from trading_system.store.errors import StoreBusyError


@pytest.mark.parametrize(("module", "name"), _KNOWN)
def test_every_name_of_the_table_is_an_error_that_its_module_offers(module: str, name: str) -> None:
    assert issubclass(getattr(importlib.import_module(module), name), Exception)


def test_no_name_stands_in_the_table_twice() -> None:
    assert len(set(_KNOWN)) == len(_KNOWN)


@pytest.mark.parametrize(
    "error",
    [SettingsError("x"), ParameterError("x"), StoreBusyError("x"), FileNotFoundError("x"), PermissionError("x")],
)
def test_an_error_that_a_person_can_mend_is_known(error: Exception) -> None:
    assert is_known(error)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x"), AssertionError("x")])
def test_an_error_of_ours_keeps_its_traceback(error: Exception) -> None:
    assert not is_known(error)


def test_asking_imports_nothing() -> None:
    code = (
        "import sys; from trading_system.known_errors import is_known; before = set(sys.modules);"
        "assert not is_known(ValueError('x')); assert set(sys.modules) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SettingsError("x: expected y"), "x: expected y"),
        (OSError(errno.ENOSPC, "No space left", "a/b"), "a/b: expected room on the disk, was none left; free some"),
        (OSError(errno.ENOSPC, "No space left"), "expected room on the disk, was none left; free some"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a/b"),
            "a/b: expected a place that this user may use, was:",
        ),
        (OSError(errno.EROFS, "Read-only file system", "a/b"), "a/b: expected a place that this user may use, was:"),
        (
            FileNotFoundError(errno.ENOENT, "none", "a/b"),
            "a: expected a folder, was nothing at this path; make it with",
        ),
        (
            FileNotFoundError(errno.ENOENT, "none", "b"),
            "b: expected a file, was nothing at this path; correct the path",
        ),
        (IsADirectoryError(errno.EISDIR, "folder", "a"), "a: expected a file, was a folder; name the file"),
        (OSError(errno.EADDRINUSE, "bind on 127.0.0.1:80"), "expected a free port, was one in use ("),
        (OSError(errno.EIO, "Input/output error", "a"), "[Errno 5] Input/output error: 'a'"),
        (OSError("bare"), "bare"),
    ],
)
def test_an_error_of_the_system_gets_a_sentence_with_a_remedy(
    error: Exception, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence_of(error).startswith(sentence)


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    for error in (FileExistsError(errno.EEXIST, "x", "file"), NotADirectoryError(errno.ENOTDIR, "x", "file/a/b")):
        assert sentence_of(error).startswith("file: expected a folder, was a file; name another folder")
