#!/bin/bash
# Starts the server as a container would, in a root that holds what the image holds, and checks what its user gets.
# Argument: the layout. PG_MAJOR, PGDATA and PATH are as in PostgreSQL's image.
set -euo pipefail
layout=$1
log=/proof/server.log
checks=0
server=

export POSTGRES_USER=keeper POSTGRES_DB=aviary POSTGRES_PASSWORD='two words'
# With initdb's default, connections from this machine need no password.
export POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    [ ! -s "$log" ] || sed 's/^/    server: /' "$log" | tail --lines=40 >&2
    exit 1
}

passed() {
    checks=$((checks + 1))
    printf 'ok: %s\n' "$1"
}

# A port of the loopback address that nobody listens on.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        if ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    fail 'no free port found'
}

start() {
    docker-entrypoint.sh postgres -c listen_addresses=127.0.0.1 >>"$log" 2>&1 &
    server=$!
    for _ in {1..300}; do
        if pgkite-healthy >/dev/null; then return; fi
        kill -0 "$server" 2>/dev/null || fail 'the server ended while it started'
        sleep 0.2
    done
    fail 'the server did not become healthy in a minute'
}

# SIGINT is the image's stop signal: a fast shutdown.
stop() {
    [ -n "$server" ] || return 0
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
    server=
}
trap stop EXIT

# What a client gets over TCP with the password, from the default database or the one named.
sql() {
    PGPASSWORD=$POSTGRES_PASSWORD psql --no-psqlrc --set=ON_ERROR_STOP=1 --quiet --no-align --tuples-only \
        --host=127.0.0.1 --username="$POSTGRES_USER" --dbname="${2:-$POSTGRES_DB}" --command="$1"
}

# expect WHAT ANSWER STATEMENT [DATABASE]: rows are compared as words on one line.
expect() {
    local answer
    answer=$(sql "$3" "${4:-}" | paste --serial --delimiters=' ') || fail "$1: error in $3"
    [ "$answer" = "$2" ] || fail "$1: '$answer' is not '$2': $3"
    passed "$1: $2"
}

# Rows 1 to 1000 are the vectors [id, 0, 1], so that the neighbours of a vector are known.
user_scripts() {
    cat >/docker-entrypoint-initdb.d/20-items.sql <<'SQL'
CREATE TABLE items (id int PRIMARY KEY, parity text, embedding vector(3), half halfvec(3), sparse sparsevec(3), bits bit(10));
INSERT INTO items
SELECT i, CASE i % 2 WHEN 0 THEN 'even' ELSE 'odd' END, ARRAY[i, 0, 1]::vector, ARRAY[i, 0, 1]::vector::halfvec,
       ARRAY[i, 0, 1]::vector::sparsevec, i::bit(10)
FROM generate_series(1, 1000) i;
SQL
    if [ "$layout" = as-vector ]; then
        sed --in-place '1i CREATE EXTENSION vector;' /docker-entrypoint-initdb.d/20-items.sql
    fi
    cat >/docker-entrypoint-initdb.d/30-unhealthy.sh <<'SH'
#!/bin/sh
if pgkite-healthy; then echo 'healthy before the init scripts have ended'; exit 1; fi
SH
    chmod 755 /docker-entrypoint-initdb.d/30-unhealthy.sh
}

searches() {
    local nearest='SELECT id FROM items ORDER BY embedding'
    expect 'nearest by L2' '10 11 9' "$nearest <-> '[10.2,0,1]' LIMIT 3"
    expect 'nearest by L1' '10 11 9' "$nearest <+> '[10.2,0,1]' LIMIT 3"
    expect 'nearest by cosine' '1 2 3' "$nearest <=> '[1,0,1]' LIMIT 3"
    expect 'nearest by inner product' '1000 999 998' "$nearest <#> '[1,0,0]' LIMIT 3"
    expect 'nearest under a filter' '11 9 13' \
        "SELECT id FROM items WHERE parity = 'odd' ORDER BY embedding <-> '[10.2,0,1]' LIMIT 3"
    expect 'nearest halfvec' '10 11 9' "SELECT id FROM items ORDER BY half <-> '[10.2,0,1]' LIMIT 3"
    expect 'nearest sparsevec' '10 11 9' "SELECT id FROM items ORDER BY sparse <-> '{1:10.2,3:1}/3' LIMIT 3"
    expect 'nearest bit' '1000' "SELECT id FROM items ORDER BY bits <~> 1000::bit(10) LIMIT 1"
    expect 'average' '[500.5,0,1]' 'SELECT avg(embedding) FROM items'
}

PGPORT=$(free_port)
export PGPORT
if pgkite-healthy >/dev/null; then fail 'healthy before the server runs'; fi
passed 'not healthy before the server runs'

user_scripts
start
passed 'the entry point ran the init scripts, not healthy meanwhile, and the server is healthy'
if PGPASSWORD=wrong psql --host=127.0.0.1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --command='' 2>/dev/null; then
    fail 'a wrong password is taken'
fi
passed 'a wrong password is refused'

extensions="SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
if [ "$layout" = as-vector ]; then
    expect 'extensions after a bare CREATE EXTENSION vector' 'vector' "$extensions"
    sql 'CREATE EXTENSION pgkite'
    expect 'extensions then' 'pgkite vector' "$extensions"
else
    expect 'extensions in the default database' 'pgkite' "$extensions"
fi
expect 'library and extension have one version' 't' \
    "SELECT kite.version() = extversion FROM pg_extension WHERE extname = 'pgkite'"
searches

sql 'CREATE DATABASE other'
expect 'another database has no type vector before CREATE EXTENSION' 't' "SELECT to_regtype('vector') IS NULL" other
sql 'CREATE EXTENSION pgkite CASCADE' other
expect 'and has it after' '5' "SELECT '[1,2]'::vector <-> '[4,6]'" other

stop
start
passed 'the server stops on SIGINT and starts again on its data'
expect 'rows after the restart' '1000' 'SELECT count(*) FROM items'
expect 'nearest by L2 after the restart' '10 11 9' "SELECT id FROM items ORDER BY embedding <-> '[10.2,0,1]' LIMIT 3"
stop
if grep --line-number --extended-regexp 'PANIC|terminated by signal' "$log"; then fail 'the log tells of a crash'; fi
passed 'the log tells of no crash'

echo "$checks checks passed: layout $layout on $(postgres --version)"
