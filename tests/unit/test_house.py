"""The house itself: who may import whom, what pure code may not touch, names and sizes of files, its papers."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "trading_system"
PYTHON_FILES = [path for folder in ("trading_system", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
RUST_FILES = [path for path in (ROOT / "rust").rglob("*.rs") if "target" not in path.parts]
PAPERS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "Makefile",
    ROOT / "LICENSE",
    ROOT / ".env.example",
]

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base2"}
# Reading a clock, a file, a socket or chance makes a rule depend on more than its arguments.
IMPURE = {"asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3", "subprocess"}
IMPURE |= {"aiohttp", "requests", "tempfile", "threading", "time", "urllib", "uuid"}
IMPURE_CALLS = {"now", "today", "utcnow", "open", "input", "print", "getenv"}
# The one file of the rules that is about machine code and its folder, not about trading.
NOT_A_RULE = PACKAGE / "rules" / "compiled.py"
# The one file of the pictures that opens fonts.
DRAWS_PIXELS = PACKAGE / "charts" / "png.py"


def pure_files() -> list[Path]:
    files = [
        *(PACKAGE / "rules").rglob("*.py"),
        *(PACKAGE / "contracts").rglob("*.py"),
        *(PACKAGE / "charts").rglob("*.py"),
    ]
    return [path for path in files if path not in {NOT_A_RULE, DRAWS_PIXELS}]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (level, module) of each import in a file, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def called(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                yield function.id
            elif isinstance(function, ast.Attribute):
                yield function.attr


def checked_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / ".importlinter"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_imports_go_down_the_floors_and_services_do_not_know_each_other() -> None:
    result = checked_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_import_contract_sees_a_rule_that_reads_the_store(tmp_path: Path) -> None:
    for source in PACKAGE.rglob("__init__.py"):
        copy = tmp_path / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("")
    assert checked_imports(tmp_path).returncode == 0
    (tmp_path / "trading_system" / "rules" / "order_blocks.py").write_text("import trading_system.store\n")
    result = checked_imports(tmp_path)
    assert result.returncode == 1
    assert "trading_system.rules is not allowed to import trading_system.store" in result.stdout


def test_contracts_import_each_other_relatively_and_nothing_else_of_ours() -> None:
    for path in (PACKAGE / "contracts").rglob("*.py"):
        for level, module in imported(path):
            assert level == 1 or not module.startswith(("trading_system", "contracts")), f"{path}: {module}"
            assert level <= 1, f"{path}: {module} leaves the folder"


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_pure_code_reads_no_clock_no_file_and_draws_no_lot(path: Path) -> None:
    impure = {module for level, module in imported(path) if level == 0 and module.partition(".")[0] in IMPURE}
    assert impure == set()
    assert set(called(path)) & IMPURE_CALLS == set()


def test_no_file_is_named_after_nothing() -> None:
    names = {path.stem.strip("_").lower() for path in [*PYTHON_FILES, *RUST_FILES]}
    assert names & VAGUE_NAMES == set()


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in [*PYTHON_FILES, *RUST_FILES]}
    assert {path: length for path, length in lengths.items() if length > 900} == {}


def test_nothing_names_a_folder_of_one_machine() -> None:
    folder = re.compile(r"(?<![\w.$/}-])/(?:home|root|work|Users)/\w+")
    for path in [*PYTHON_FILES, *RUST_FILES, *PAPERS]:
        text = path.read_text(encoding="utf-8")
        assert folder.search(text) is None, f"{path}: {folder.search(text)}"


def test_every_module_says_what_it_is() -> None:
    for path in PACKAGE.rglob("*.py"):
        sentence = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert len(sentence) > 10, f"{path} needs a docstring of one or two sentences"


def test_the_example_of_secrets_holds_names_only() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert {"BUS_URL=", "DATABASE_URL=", "TELEGRAM_TOKEN="} <= set(entries)
    assert all(re.fullmatch(r"[A-Z_]+=", line) for line in entries)


def test_the_licence_is_for_educational_use() -> None:
    assert "for educational use" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def tools(folder: Path, **made: str) -> Path:
    """Make a folder of programs: those of the system that the check needs, and scripts by name."""
    folder.mkdir()
    for name in ("dirname", "sed", "cut", "sort", "head", "mktemp", "rm", "cc", "as", "ld"):
        found = shutil.which(name)
        if name not in made and found:
            (folder / name).symlink_to(found)
    for name, script in made.items():
        if script:
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
    return folder


NOBODY = "http://127.0.0.1:9"  # the discard port, where no server of Rust's toolchains answers


def check_tools(path: Path, *arguments: str, server: str = NOBODY) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(ROOT / "deploy" / "check_tools.sh"), *arguments]
    environment = {"PATH": str(path), "RUSTUP_UPDATE_ROOT": server}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


NEW_CARGO = 'echo "cargo 1.999.0 (abc 2030-01-01)"'


@pytest.mark.parametrize(
    ("cargo", "compiler", "sentence"),
    [
        ("", None, "cargo is missing .*sh.rustup.rs"),
        (
            'echo "cargo 1.30.0 (abc 2018-01-01)"',
            None,
            "cargo 1.30.0 is too old, .* or newer is needed: .*sh.rustup.rs",
        ),
        ("exit 1", None, "cargo is installed but has no toolchain: .*rustup default stable"),
        (NEW_CARGO, "", "A C compiler is missing: .*apt-get install -y build-essential"),
        (NEW_CARGO, "exit 1", "cannot build a program: .*apt-get install -y build-essential"),
    ],
)
def test_a_missing_tool_gets_one_sentence_and_the_command_that_installs_it(
    cargo: str, compiler: str | None, sentence: str, tmp_path: Path
) -> None:
    made = {"cargo": cargo} if compiler is None else {"cargo": cargo, "cc": compiler}
    result = check_tools(tools(tmp_path / "bin", **made), sys.executable)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert re.search(sentence, result.stderr)


def test_an_old_or_absent_python_is_said_and_a_full_set_of_tools_passes(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", cargo=NEW_CARGO, python3='case "$2" in *version_info*) exit 1;; esac; echo 3.10.12')
    old = check_tools(path)
    assert (old.returncode, len(old.stderr.splitlines())) == (1, 1)
    assert "python3 is 3.10.12" in old.stderr
    assert "python3 is missing: install it with" in check_tools(path, "python3.99").stderr
    good = check_tools(path, sys.executable)
    assert (good.returncode, good.stderr) == (0, "")


def test_without_cargo_the_build_brings_its_own_where_its_server_answers(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    (tmp_path / "rustup").mkdir()
    (tmp_path / "rustup" / "release-stable.toml").write_text("version = '1.28.2'\n")
    server = (tmp_path / "rustup").as_uri()
    fetched = check_tools(path, sys.executable, server=server)
    assert (fetched.returncode, len(fetched.stderr.splitlines())) == (0, 1)
    assert f"the build fetches Rust from {server}" in fetched.stderr
    for arguments in ((sys.executable, "lint"), ("python3.99",)):  # cargo itself checks the crate; Python comes first
        refused = check_tools(path, *arguments, server=server)
        assert refused.returncode == 1
        assert "sh.rustup.rs" in refused.stderr


def test_the_whole_check_of_a_change_uses_the_shared_data_beside_the_checkout(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci" / "run")
    path = tools(tmp_path / "bin", make='echo "$1 with [${TRADING_SHARED:-nothing}]"')
    command, environment = [str(checkout / ".ci" / "run")], {"PATH": str(path)}

    def run() -> str:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert run() == "test with [nothing]"
    (tmp_path / "shared").mkdir()
    assert run() == f"test with [{tmp_path / 'shared'}]"


def test_a_skipped_shared_test_fails_while_the_data_is_there(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests" / "conftest.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    shared: real data\n")
    (tmp_path / "tests" / "test_two.py").write_text(
        "import pytest\n\n@pytest.mark.shared\ndef test_skips():\n    pytest.skip('no mood')\n\n"
        "def test_skips_too():\n    pytest.skip('not shared')\n"
    )
    (tmp_path / "data").mkdir()

    def run(**environment: str) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        clean = {name: value for name, value in os.environ.items() if name != "TRADING_SHARED"}
        clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        result = subprocess.run(
            command, cwd=tmp_path, env={**clean, **environment}, capture_output=True, text=True, check=False
        )
        return result.stdout + result.stderr

    assert "2 skipped" in run()
    with_data = run(TRADING_SHARED=str(tmp_path))
    assert "1 failed, 1 skipped" in with_data
    assert "skipped although TRADING_SHARED is set" in with_data
    assert "expected a folder with data/" in run(TRADING_SHARED=str(tmp_path / "nowhere"))
