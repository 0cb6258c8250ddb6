"""Which errors are shown as one sentence: those that say what a person can do."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from trading_system.known_errors import _KNOWN, is_known
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
