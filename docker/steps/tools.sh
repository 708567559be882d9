#!/bin/sh
# Installs what the build needs beside Rust: the server's headers, a linker, and libclang, which reads the headers.
# PG_MAJOR is set by PostgreSQL's image.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt-get update -q
headers=postgresql-server-dev-$PG_MAJOR
server=$(dpkg-query --show --showformat='${Version}' "postgresql-$PG_MAJOR")
if apt-cache madison "$headers" | grep --quiet --fixed-strings " $server "; then
    headers=$headers=$server
else
    # Minor releases of one major version share an interface.
    echo "note: the repository no longer has the headers of $server; the newest of $PG_MAJOR are used"
fi
apt-get install -q -y --no-install-recommends "$headers" gcc libc6-dev libclang-dev ca-certificates
rm -rf /var/lib/apt/lists/*
