#!/bin/sh
# Installs docker-compose (Debian's package, without an engine), which reads docker-compose.yml in a test: as root on
# Debian or Ubuntu. Otherwise says in one sentence what to do, and exits 1. What is installed already is left alone.
set -u
command -v docker-compose >/dev/null 2>&1 && exit 0

install="apt-get install -y --no-install-recommends docker-compose"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "docker-compose is missing, which reads docker-compose.yml in a test: install it with 'sudo $install'." >&2
    exit 1
fi
echo "Installing docker-compose, which reads docker-compose.yml in a test ..."
log=$(mktemp)
# The lists of packages are fetched only if what is there names no docker-compose, or an old one that is gone.
if ! $install >"$log" 2>&1 && ! { apt-get update && $install; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "docker-compose could not be installed (see above): try '$install' and run this again." >&2
    exit 1
fi
rm -f "$log"
