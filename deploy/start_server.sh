#!/bin/sh
# Starts Redis or MongoDB inside its container; refuses in one sentence to start with a password that protects nothing.
# Usage: start_server.sh redis|mongodb     (REDIS_PASSWORD or MONGO_INITDB_ROOT_PASSWORD in the environment)
set -eu

refuse() {
    echo "$1: expected a password of your own (12 or more of A-Z a-z 0-9 . _ ~ -, no well-known word), was $2; run deploy/fill_env.sh and start again" >&2
    exit 78
}

# The same rules as trading_system/start_checks.py; one table of passwords tests both.
require_password() {
    case $2 in '') refuse "$1" none ;; *[!A-Za-z0-9._~-]*) refuse "$1" "one with other characters" ;; esac
    [ "${#2}" -ge 12 ] || refuse "$1" "a shorter one"
    case $(printf '%s' "$2" | tr 'A-Z' 'a-z' | tr -d '._~-') in
    *password* | *passwort* | *changeme* | *secret* | *example* | *default* | *trading* | *12345678* | *qwerty*)
        refuse "$1" "one that is easily guessed" ;;
    esac
    [ "$(printf '%s' "$2" | fold -w 1 | sort -u | wc -l)" -ge 6 ] || refuse "$1" "one that is easily guessed"
}

case ${1:-} in
redis)
    require_password REDIS_PASSWORD "${REDIS_PASSWORD:-}"
    # A file, because every process of the machine can read a command line. The one user may not administer the server.
    umask 077
    config=${SERVER_CONFIG:-/tmp/redis.conf}
    cat >"$config" <<EOF
port ${REDIS_PORT:-6379}
dir ${config%/*}
save ""
appendonly no
maxmemory 192mb
maxmemory-policy volatile-ttl
client-output-buffer-limit pubsub 16mb 8mb 60
user default on >$REDIS_PASSWORD ~* &* +@all -@admin -@dangerous +info
EOF
    exec redis-server "$config"
    ;;
mongodb)
    require_password MONGO_PASSWORD "${MONGO_INITDB_ROOT_PASSWORD:-}"
    # The image's own start makes the user in an empty store and switches the asking for passwords on.
    exec docker-entrypoint.sh mongod --wiredTigerCacheSizeGB 0.25
    ;;
*)
    echo "expected redis or mongodb, was '${1:-}'" >&2
    exit 64
    ;;
esac
