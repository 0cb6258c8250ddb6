"""The wheel is whole: pip installs it into an empty environment, and the demo runs there without Rust or a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_S = 900
UNREACHABLE = ("NewConnectionError", "Temporary failure in name resolution", "ProxyError", "ConnectTimeoutError")


def run(*command: str | Path, cwd: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_", "PYTHON"))}
    if path is not None:
        environment["PATH"] = path
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False)


def installed(environment: Path, wheel: Path) -> None:
    """Install ``wheel`` with what it says it needs; where no package index answers, the packages beside us serve."""
    pip = (environment / "bin" / "python", "-m", "pip", "install", "--quiet")
    told = run(*pip, wheel, cwd=environment)
    if told.returncode and any(word in told.stderr + told.stdout for word in UNREACHABLE):
        told = run(*pip, "--no-deps", "--no-index", wheel, cwd=environment)
        (packages,) = environment.glob("lib/python*/site-packages")
        (packages / "beside.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_an_empty_environment_without_cargo(tmp_path: Path) -> None:
    # The build's own tools are at hand among the developer's packages, so none is fetched for it.
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir")
    tools = f"{Path(sys.executable).parent}:{Path.home() / '.cargo' / 'bin'}:{os.environ['PATH']}"
    built = run(*build, tmp_path / "dist", ROOT, cwd=tmp_path, path=tools)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert "-abi3-" in wheel.name
    inside = zipfile.ZipFile(wheel).namelist()
    for packed in ("charts/fonts/DejaVuSans.ttf", "charts/fonts/LICENSE.txt", "languages/ar.po", "py.typed"):
        assert f"trading_system/{packed}" in inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/", "rust/"))]

    environment = tmp_path / "empty"
    assert run(sys.executable, "-m", "venv", environment, cwd=tmp_path).returncode == 0
    installed(environment, wheel)
    program = environment / "bin" / "trading-system"
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    assert shutil.which("cargo", path=path) is None
    told = run(program, "demo", "--days", "1", "--out", "demo", cwd=tmp_path, path=path)
    assert told.returncode == 0, told.stderr
    assert "Equal to the backtest" in told.stderr
    spoken = run(program, "compare", "demo/run", "demo/backtest", "--lang", "ar", cwd=tmp_path, path=path)
    assert (spoken.returncode, spoken.stdout.startswith("متساويان")) == (0, True), spoken.stderr
