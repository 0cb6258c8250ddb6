#!/bin/sh
# Installs the servers that the tests start for themselves, where that can be done without asking: as root on Debian or
# Ubuntu. Otherwise says in one sentence what to do, and exits 1. What is installed already is left alone.
set -u

if ! command -v redis-server >/dev/null 2>&1 || ! command -v redis-cli >/dev/null 2>&1; then
    remedy="install it with 'sudo apt-get install -y redis-server' and run this again"
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "redis-server is missing, which the tests of the bus start: $remedy." >&2
        exit 1
    fi
    echo "Installing redis-server, which the tests of the bus start ..."
    log=$(mktemp)
    # The lists of packages are fetched only if what is there names no redis-server, or an old one that is gone.
    if ! apt-get install -y --no-install-recommends redis-server >"$log" 2>&1 &&
        ! { apt-get update && apt-get install -y --no-install-recommends redis-server; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        echo "redis-server could not be installed (see above): $remedy." >&2
        exit 1
    fi
    rm -f "$log"
fi
