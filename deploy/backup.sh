#!/bin/sh
# Saves what cannot be derived again: the store (MongoDB) and the journal of execution, both from the same standstill.
# Usage: deploy/backup.sh FOLDER         writes FOLDER/store.archive.gz and FOLDER/journal.tar.gz; the services stand
#                                        still meanwhile, as journal and store belong together
#        deploy/backup.sh --restore FOLDER    puts both back; what is there now is lost
# COMPOSE='docker compose' names another compose program.
set -eu
umask 077

compose=${COMPOSE:-docker-compose}
services="data_feed indicator_engine strategy_engine execution_engine telegram_engine monitoring_engine"
# The password goes into a file of the container's own memory: every process of the host can read a command line.
signed_in='umask 077; printf "password: %s\n" "$MONGO_INITDB_ROOT_PASSWORD" >/tmp/tool.yaml; trap "rm -f /tmp/tool.yaml" EXIT;'
words="--config /tmp/tool.yaml --username trading --authenticationDatabase admin --archive --gzip --quiet"

# mongorestore --drop leaves what began after the backup: a later stream beside an older journal would be another line's.
emptied='const server = new Mongo("mongodb://127.0.0.1"); const admin = server.getDB("admin");
admin.auth("trading", process.env.MONGO_INITDB_ROOT_PASSWORD);
if (!server.getDB("trading").dropDatabase().ok) quit(1)'

in_mongodb() {
    $compose exec -T mongodb sh -c "$signed_in $1"
}

in_journal() {
    $compose run --rm --no-deps -T execution_engine sh -c "cd /var/lib/trading-system && $1"
}

verb=save
[ "${1:-}" != --restore ] || { verb=restore; shift; }
folder=${1:?"expected a folder, was none; usage: deploy/backup.sh [--restore] FOLDER"}
if [ $verb = save ] && [ -e "$folder/store.archive.gz" ]; then
    echo "$folder: expected a new folder, was one with a backup; name another" >&2
    exit 1
fi
if [ $verb = restore ]; then
    for file in store.archive.gz journal.tar.gz; do
        [ -s "$folder/$file" ] || { echo "$folder/$file: expected a backup, was nothing there" >&2; exit 1; }
    done
fi

trap '$compose start $services' EXIT
$compose stop $services
if [ $verb = save ]; then
    mkdir -p "$folder"
    in_mongodb "mongodump $words --db trading" >"$folder/store.archive.gz.part"
    in_journal "tar -czf - ." >"$folder/journal.tar.gz"
    mv "$folder/store.archive.gz.part" "$folder/store.archive.gz" # whole only now, when both are
else
    in_mongodb "mongosh --quiet --norc --nodb --eval '$emptied'"
    in_mongodb "mongorestore $words" <"$folder/store.archive.gz"
    in_journal "find . -mindepth 1 -delete && tar -xzf -" <"$folder/journal.tar.gz"
fi
