#!/bin/sh
# Builds and installs the extension, and gathers in /out what the image gets beyond PostgreSQL's own.
# PG_MAJOR is set by PostgreSQL's image; LAYOUT is `pgkite` or `as-vector`.
set -eu
cd "$(dirname "$0")/../.."
pg_config=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
scripts=$("$pg_config" --sharedir)/extension

case $LAYOUT in
    pgkite) set -- ;;
    as-vector) set -- --as-vector ;;
    *) echo "LAYOUT is '$LAYOUT': choose pgkite or as-vector" >&2; exit 2 ;;
esac

export CARGO_TARGET_DIR=/target
# pgrx formats the bindings that it generates. Nobody reads them here, and the image's toolchain has no rustfmt.
export RUSTFMT=true
cargo --locked xtask install --pg-config "$pg_config" "$@"

rm -rf /out
mkdir /out
cp --parents "$("$pg_config" --pkglibdir)/pgkite.so" "$scripts"/pgkite.control "$scripts"/pgkite--*.sql /out
install -D --mode=644 LICENSE /out/usr/share/doc/pgkite/copyright
install -D --mode=755 docker/pgkite-healthy /out/usr/local/bin/pgkite-healthy
if [ "$LAYOUT" = as-vector ]; then
    # No init script: clients of pgvector create the extension themselves, often without IF NOT EXISTS.
    cp --parents "$scripts"/vector.control "$scripts"/vector--*.sql /out
else
    install -D --mode=644 docker/initdb.d/10-pgkite.sql /out/docker-entrypoint-initdb.d/10-pgkite.sql
fi
