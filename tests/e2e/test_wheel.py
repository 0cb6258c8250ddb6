"""The wheel is whole: pip installs it into an empty environment, and the demo runs there without Rust or a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_S = 900


def run(*command: str | Path, cwd: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_", "PYTHON"))}
    if path is not None:
        environment["PATH"] = path
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False)


def fetched(result: subprocess.CompletedProcess[str]) -> None:
    """Skip the test when pip could not reach a package index; fail it when anything else went wrong."""
    unreachable = ("NewConnectionError", "Temporary failure in name resolution", "ProxyError", "ConnectTimeoutError")
    if result.returncode and any(word in result.stderr + result.stdout for word in unreachable):
        pytest.skip("no package index answers, so nothing can be installed into an empty environment")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_an_empty_environment_without_cargo(tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not on the path, and this test does not fetch one")
    built = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path / "dist", ROOT, cwd=tmp_path)
    fetched(built)
    (wheel,) = (tmp_path / "dist").iterdir()
    assert "-abi3-" in wheel.name
    inside = zipfile.ZipFile(wheel).namelist()
    for packed in ("charts/fonts/DejaVuSans.ttf", "charts/fonts/LICENSE.txt", "languages/ar.po", "py.typed"):
        assert f"trading_system/{packed}" in inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/", "rust/"))]

    environment = tmp_path / "empty"
    assert run(sys.executable, "-m", "venv", environment, cwd=tmp_path).returncode == 0
    fetched(run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path))
    program = environment / "bin" / "trading-system"
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    assert shutil.which("cargo", path=path) is None
    told = run(program, "demo", "--days", "1", "--out", "demo", cwd=tmp_path, path=path)
    assert told.returncode == 0, told.stderr
    assert "Equal to the backtest" in told.stderr
    spoken = run(program, "compare", "demo/run", "demo/backtest", "--lang", "ar", cwd=tmp_path, path=path)
    assert (spoken.returncode, spoken.stdout.startswith("متساويان")) == (0, True), spoken.stderr
