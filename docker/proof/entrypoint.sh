#!/bin/bash
# Stands in for the entry point of PostgreSQL's image. On an empty data folder it makes a cluster and the default database,
# and runs the init scripts on a server that listens on a Unix socket only; then this process becomes the server.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
    install --directory --owner=postgres --group=postgres --mode=700 "$PGDATA"
    exec gosu postgres "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # The arguments are several words.
    # shellcheck disable=SC2086
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*; do
        echo "running $script"
        case $script in
            *.sh) "$script" ;;
            *.sql)
                psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --file="$script"
                ;;
        esac
    done
    pg_ctl --wait --mode=fast stop
fi

exec "$@"
