#!/bin/sh
# Says in one sentence for each missing tool what installs it on Debian or Ubuntu; exits 1 if any is missing.
# Usage: deploy/check_tools.sh [PYTHON] [lint]      (lint: also what checks and formats the Rust code)
set -u
folder=$(dirname "$0")
python=${1:-python3}
missing=0

RUSTUP="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"

lacks() {
    echo "$1" >&2
    missing=1
}

# True if version $1 (like 1.75.0) is at least version $2.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# True if the build can fetch a Rust of its own: maturin asks the package puccinialin, and that asks this server.
server=${RUSTUP_UPDATE_ROOT:-https://static.rust-lang.org/rustup}
brings_its_own() {
    [ -z "${MATURIN_NO_INSTALL_RUST:-}" ] && "$python" - "$server/release-stable.toml" 2>/dev/null <<'EOF'
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5).close()
EOF
}

if ! command -v "$python" >/dev/null 2>&1; then
    lacks "python3 is missing: install it with 'sudo apt-get install -y python3 python3-venv'."
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    was=$("$python" -c 'import platform; print(platform.python_version())')
    lacks "Python 3.11 or newer is needed, $python is $was: install it with 'sudo apt-get install -y python3.11 python3.11-venv' (Ubuntu 22.04) and run 'make setup PYTHON=python3.11'."
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    lacks "Python's venv module is missing: install it with 'sudo apt-get install -y python3-venv'."
fi

floor=$(sed -n 's/^rust-version *= *"\(.*\)".*/\1/p' "$folder/../rust/Cargo.toml")
if ! command -v cargo >/dev/null 2>&1 && [ "$missing" = 0 ] && [ "${2:-}" != lint ] && brings_its_own; then
    echo "cargo is missing: the build fetches Rust from $server for itself, once (some 300 MB in your cache folder)." >&2
elif ! command -v cargo >/dev/null 2>&1; then
    lacks "cargo is missing (Rust ${floor:-stable} or newer builds the feed): install it with \"$RUSTUP\"."
elif ! was=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || [ -z "$was" ]; then
    lacks "cargo is installed but has no toolchain: install one with 'rustup default stable'."
elif [ -n "$floor" ] && ! at_least "$was" "$floor"; then
    lacks "cargo $was is too old, $floor or newer is needed: install it with \"$RUSTUP\"."
elif [ "${2:-}" = lint ]; then
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 ||
            lacks "cargo $tool is missing: install it with 'rustup component add rustfmt clippy' (or 'sudo apt-get install -y rustfmt rust-clippy' beside Debian's cargo)."
    done
fi

if ! command -v cc >/dev/null 2>&1; then
    lacks "A C compiler is missing: install it with 'sudo apt-get install -y build-essential'."
else
    # A compiler without the C library's headers is found on slim images and fails only later, at length.
    trial=$(mktemp -d)
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' >"$trial/trial.c"
    cc -o "$trial/trial" "$trial/trial.c" >/dev/null 2>&1 ||
        lacks "The C compiler cannot build a program: install its library with 'sudo apt-get install -y build-essential'."
    rm -r "$trial"
fi

exit "$missing"
