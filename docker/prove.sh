#!/bin/bash
# Proves the image's steps without a container engine; see README.md beside it.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage, on Debian or Ubuntu:
  sudo env "PATH=$PATH" "HOME=$HOME" docker/prove.sh [--layout pgkite|as-vector] [--entrypoint FILE] [FOLDER]

  --layout      prove this layout only; else both
  --entrypoint  PostgreSQL's docker-entrypoint.sh, to start the server with; else a stand-in of a few lines
  FOLDER        where the Debian roots and the build are made, and kept for the next run: about 5 GB.
                It must be new, empty, or from an earlier run. Else a temporary folder, which is removed.

Needs debootstrap, and Rust as the README at the root says. Packages come from MIRROR, or debootstrap's own default.
TEXT
}

stop() {
    printf 'docker/prove.sh: %s\n' "$1" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repository=$(dirname "$here")
marker=.pgkite-proof
# The one that Debian 12 has.
pg_major=15

# ---- Outside: choose the folder, and run the rest in namespaces of its own ----------------------------------------------

# In a mount namespace every mount ends with the last process of the proof, and a PID namespace ends all of those with the
# first one: whatever happens, nothing stays mounted or running, and what is removed afterwards holds plain files only.
outside() {
    local layouts=(pgkite as-vector) entrypoint=$here/proof/entrypoint.sh folder=''
    # Not local: the trap reads them.
    temporary='' child=''
    while [ $# -gt 0 ]; do
        case $1 in
            --layout)
                case ${2:-} in pgkite | as-vector) layouts=("$2") ;; *) usage >&2 && exit 2 ;; esac
                shift 2
                ;;
            --entrypoint)
                [ -f "${2:-}" ] || stop "no file ${2:-} to start the server with"
                entrypoint=$(realpath "$2")
                shift 2
                ;;
            -h | --help) usage && exit ;;
            -*) usage >&2 && exit 2 ;;
            *) [ -z "$folder" ] || { usage >&2 && exit 2; } && folder=$1 && shift ;;
        esac
    done

    [ "$(id -u)" = 0 ] || stop "only root can make a Debian root and enter it: see --help"
    local program
    for program in debootstrap unshare chroot findmnt tar; do
        command -v "$program" >/dev/null || stop "missing: $program. As root: apt-get install debootstrap mount tar util-linux"
    done
    command -v rustc >/dev/null || stop 'missing: rustc. The README at the root of the repository says which'

    if [ -n "$folder" ]; then
        folder=$(realpath --canonicalize-missing "$folder")
        [ ! -e "$folder" ] || [ -e "$folder/$marker" ] || [ -z "$(ls -A "$folder")" ] ||
            stop "$folder is neither empty nor from an earlier run: name another folder"
    else
        folder=$(mktemp --directory "${TMPDIR:-/var/tmp}/pgkite-proof.XXXXXX")
        temporary=$folder
    fi
    case $folder in
        *[!A-Za-z0-9._/-]*) stop "$folder: choose a folder whose path has letters, digits, '.', '_' and '-' only" ;;
    esac
    mkdir -p "$folder"
    touch "$folder/$marker"

    # shellcheck disable=SC2317  # run by the trap
    finish() {
        [ -z "$child" ] || { kill -KILL "$child" 2>/dev/null && wait "$child" 2>/dev/null; } || true
        if [ -n "$temporary" ]; then
            # A process that was just ended may still have made a file.
            remove "$temporary" || { sleep 2 && remove "$temporary"; }
        fi
    }
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    unshare --mount --pid --ipc --fork --kill-child --mount-proc -- \
        "$here/prove.sh" --inside "$folder" "$entrypoint" "${layouts[@]}" &
    child=$!
    local status=0
    wait "$child" || status=$?
    child=
    [ "$status" = 0 ] || stop "not proved: see above"
}

# Removes a folder in which nothing is mounted.
remove() {
    local mounts target
    mounts=$(findmnt --raw --noheadings --output TARGET)
    while read -r target; do
        case $target in
            "$1" | "$1"/*) stop "something is mounted at $target: $1 is not removed" ;;
        esac
    done <<<"$mounts"
    rm --recursive --force --one-file-system -- "$1"
}

# ---- Inside: the proof --------------------------------------------------------------------------------------------------

step() {
    printf '\n== %s\n' "$1"
}

# enter ROOT [VARIABLE=VALUE...] COMMAND...: runs a command in a root, with the environment of PostgreSQL's image.
enter() {
    local root=$1
    shift
    chroot "$root" /usr/bin/env --ignore-environment HOME=/root LANG=en_US.utf8 PG_MAJOR="$pg_major" \
        PGDATA=/var/lib/postgresql/data \
        PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/$pg_major/bin" "$@"
}

# What a container engine mounts; its default for shared memory is 64 MB.
mount_system() {
    mount -t proc proc "$1/proc"
    mkdir -p "$1/dev/shm"
    mount -t tmpfs -o size=64m,mode=1777 tmpfs "$1/dev/shm"
    # The host's name servers.
    cp --dereference /etc/resolv.conf "$1/etc/resolv.conf"
}

# layer LOWER LAYER TARGET: shows LOWER at TARGET; what is written there goes to LAYER.
layer() {
    mkdir -p "$2/upper" "$2/work" "$3"
    mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$3"
}

# stage LOWER ROOT: a new root that starts as LOWER, as a stage of a Dockerfile does.
stage() {
    remove "$2.layer"
    layer "$1" "$2.layer" "$2"
    mount_system "$2"
}

# end_stage ROOT: unmounts the root and all in it, and forgets what was written.
end_stage() {
    umount --recursive "$1"
    remove "$1"
    remove "$1.layer"
}

# made_by ROOT SCRIPT: whether the root was completed by this very script in an earlier run.
made_by() {
    [ "$(cat "$1.complete" 2>/dev/null)" = "$(sha256sum <"$2")" ]
}

# Stands for PostgreSQL's image, from which both stages start.
make_base() {
    if made_by "$base" "$here/proof/base.sh"; then return; fi
    rm -f "$base.complete" "$tools.complete"
    step 'a plain Debian root with PostgreSQL (stands for postgres:15-bookworm)'
    remove "$base"
    debootstrap --variant=minbase bookworm "$base" ${MIRROR:+"$MIRROR"}
    mount_system "$base"
    cp "$here/proof/base.sh" "$base/root/base.sh"
    enter "$base" /root/base.sh
    umount "$base/dev/shm" "$base/proc"
    sha256sum <"$here/proof/base.sh" >"$base.complete"
}

# The build stage up to its sources.
make_tools() {
    if made_by "$tools" "$here/steps/tools.sh"; then return; fi
    rm -f "$tools.complete"
    step 'the build stage: tools.sh'
    remove "$tools"
    cp --archive --reflink=auto "$base" "$tools"
    install -D --mode=755 "$here/steps/tools.sh" "$tools/src/docker/steps/tools.sh"
    mount_system "$tools"
    enter "$tools" /src/docker/steps/tools.sh
    umount "$tools/dev/shm" "$tools/proc"
    sha256sum <"$here/steps/tools.sh" >"$tools.complete"
}

# In place of the Rust image: this machine's toolchain, read-only, and its store of crates below a layer of the proof's.
bring_rust() {
    local root=$1 registry=${CARGO_HOME:-$HOME/.cargo}/registry
    mkdir -p "$root/usr/local/rust" "$root/usr/local/cargo" "$root/target" "$folder/target" "$folder/no-registry"
    mount --bind "$(rustc --print sysroot)" "$root/usr/local/rust"
    mount -o remount,bind,ro "$root/usr/local/rust"
    [ -d "$registry" ] || registry=$folder/no-registry
    layer "$registry" "$folder/registry.layer" "$root/usr/local/cargo/registry"
    mount --bind "$folder/target" "$root/target"
}

# COPY . /src, without what the Dockerfile's list keeps out.
copy_context() {
    (cd "$repository" && tar --create --anchored --exclude-from="$here/Dockerfile.dockerignore" -- * .[!.]*) |
        tar --extract --directory="$1/src" --no-same-owner
}

prove_layout() {
    local layout=$1 entrypoint=$2 build=$folder/build run=$folder/run
    step "the build stage: build.sh, layout $layout"
    stage "$tools" "$build"
    bring_rust "$build"
    copy_context "$build"
    enter "$build" env LAYOUT="$layout" CARGO_HOME=/usr/local/cargo PATH="/usr/local/rust/bin:/usr/bin:/bin" \
        /src/docker/steps/build.sh

    step "the final stage, layout $layout: PostgreSQL and these files"
    (cd "$build/out" && find . -type f -printf '%10s %p\n')
    stage "$base" "$run"
    cp --archive "$build/out/." "$run/"
    end_stage "$build"

    step "the server, layout $layout"
    install -D --mode=755 "$entrypoint" "$run/usr/local/bin/docker-entrypoint.sh"
    install -D --mode=755 "$here/proof/check.sh" "$run/proof/check.sh"
    enter "$run" /proof/check.sh "$layout"
    end_stage "$run"
}

inside() {
    folder=$1 base=$1/base tools=$1/tools
    local entrypoint=$2 started=$SECONDS layout
    shift 2
    make_base
    make_tools
    for layout in "$@"; do
        prove_layout "$layout" "$entrypoint"
    done
    local started_by='the stand-in for the entry point'
    [ "$entrypoint" = "$here/proof/entrypoint.sh" ] || started_by=$entrypoint
    printf '\nProved in %s s: layouts: %s; built, installed, started by %s, and searched.\n' \
        "$((SECONDS - started))" "$*" "$started_by"
}

if [ "${1:-}" = --inside ]; then
    # Not for people: it mounts, and relies on the namespaces.
    [ "$$" = 1 ] || stop 'see --help'
    shift
    inside "$@"
else
    outside "$@"
fi
