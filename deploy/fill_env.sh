#!/bin/sh
# Makes .env ready for docker-compose: copied from .env.example if it is missing, readable by its owner only, and with a
# random password wherever none was filled in. What is filled in stays as it is.
# Usage: deploy/fill_env.sh [FOLDER]      (default: the folder above this script)
set -eu
umask 077
folder=${1:-$(dirname "$0")/..}
env=$folder/.env

[ -e "$env" ] || cp "$folder/.env.example" "$env"
chmod 600 "$env"
for name in REDIS_PASSWORD MONGO_PASSWORD; do
    grep -q "^$name=..*" "$env" && continue
    made=$(od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n')
    if grep -q "^$name=" "$env"; then
        sed -i "s/^$name=.*/$name=$made/" "$env"
    else
        printf '%s=%s\n' "$name" "$made" >>"$env"
    fi
    echo "$env: $name is filled in"
done
