#!/bin/sh
# Makes of a plain Debian root what the image postgres:15-bookworm is, with Debian's PostgreSQL: the server without a
# cluster, the locale, gosu, and the folders that the entry point expects.
set -eu
export DEBIAN_FRONTEND=noninteractive

# No package may start a server.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

apt-get update -q
apt-get install -q -y --no-install-recommends gosu locales postgresql-common
echo 'en_US.UTF-8 UTF-8' >>/etc/locale.gen
locale-gen
echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
apt-get install -q -y --no-install-recommends "postgresql-$PG_MAJOR"
rm -rf /var/lib/apt/lists/*

mkdir /docker-entrypoint-initdb.d
install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql
install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql/data
