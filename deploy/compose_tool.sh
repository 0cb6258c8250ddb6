#!/bin/sh
# Installs docker-compose (Debian's package, without an engine) for the test that asks it to read docker-compose.yml.
# Usage: deploy/compose_tool.sh
set -eu
command -v docker-compose >/dev/null 2>&1 && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "docker-compose is missing: install it with 'sudo apt-get install -y --no-install-recommends docker-compose'." >&2
    exit 1
fi
echo "Installing docker-compose ..."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-compose >/dev/null
