#!/bin/sh
# Finds, installs and describes what Cairn is built with. POSIX sh: it must run where nothing is.
#
#   deps.sh install FILE...   installs what is missing with the machine's package manager
#   deps.sh make FILE...      prints PKG_CFLAGS.<dir> and PKG_LIBS.<dir> for the Makefile
#   deps.sh doctor FILE...    says what is there and how fast the machine is
#
# A line of a deps file: what to look for, then the Debian packages that provide it.
#   rocksdb librocksdb-dev                 a pkg-config name
#   tool:protoc-c protobuf-c-compiler      a program
#   header:stdio.h libc6-dev               a header that has no pkg-config file
#   python:psycopg2 python3-psycopg2       a module of the system's Python
#   theme:material mkdocs-material         a theme that mkdocs knows
set -eu
command=$1
shift
CC=${CC:-cc}

lines() { [ $# -eq 0 ] || sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@" | awk '!seen[$1]++'; }

present() {
    case $1 in
    tool:*) command -v "${1#tool:}" ;;
    header:*) printf '#include <%s>\n' "${1#header:}" | "$CC" -E - ;;
    python:*) { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c "import ${1#python:}"; } || python3 -c "import ${1#python:}" ;;
    theme:*) [ -d "/usr/share/mkdocs/themes/${1#theme:}" ] || python3 -c "import ${1#theme:}" ;;
    *) pkg-config --exists "$1" ;;
    esac >/dev/null 2>&1
}

# "thing package..." for each line whose thing is missing
missing() { lines "$@" | while read -r thing packages; do present "$thing" || echo "$thing $packages"; done; }

manager() {
    for name in apt-get dnf pacman brew; do
        if command -v $name >/dev/null 2>&1; then echo $name; return; fi
    done
}

# The name under which another package manager knows a Debian package.
translate() {
    case $1:$2 in
    apt-get:*) echo "$2" ;;
    brew:gcc | brew:libc6-dev | pacman:libc6-dev) ;;
    dnf:libc6-dev) echo glibc-devel ;;
    dnf:pkg-config | pacman:pkg-config) echo pkgconf ;;
    brew:pkg-config) echo pkgconf ;;
    dnf:libuv1-dev) echo libuv-devel ;;
    dnf:libxxhash-dev) echo xxhash-devel ;;
    pacman:libxxhash-dev | brew:libxxhash-dev) echo xxhash ;;
    dnf:protobuf-c-compiler) echo protobuf-c-compiler ;;
    dnf:libprotobuf-c-dev) echo protobuf-c-devel ;;
    *:protobuf-c-compiler | *:libprotobuf-c-dev) echo protobuf-c ;;
    dnf:libssl-dev) echo openssl-devel ;;
    pacman:libssl-dev) echo openssl ;;
    brew:libssl-dev) echo openssl@3 ;;
    dnf:fonts-dejavu-core) echo dejavu-sans-fonts dejavu-sans-mono-fonts ;;
    pacman:fonts-dejavu-core) echo ttf-dejavu ;;
    brew:fonts-dejavu-core) echo font-dejavu ;;
    pacman:python3) echo python ;;
    pacman:python3-*) echo "python-${2#python3-}" ;;
    brew:python3-*) echo "${2#python3-}" ;;
    pacman:postgresql-client | brew:postgresql-client) echo postgresql ;;
    dnf:postgresql-client) echo postgresql ;;
    dnf:postgresql) echo postgresql-contrib ;;
    pacman:clang-format | pacman:clang-tidy) echo clang ;;
    dnf:clang-format | dnf:clang-tidy) echo clang-tools-extra ;;
    brew:clang-format | brew:clang-tidy) echo llvm ;;
    *:libuv1-dev) echo libuv ;;
    dnf:*-dev) echo "${2%-dev}-devel" ;;
    *:lib*-dev) p=${2#lib}; echo "${p%-dev}" ;;
    *:*-dev) echo "${2%-dev}" ;;
    *) echo "$2" ;;
    esac
}

install() {
    wanted=$(missing "$@")
    [ -n "$wanted" ] || return 0
    manager=$(manager)
    packages=$(echo "$wanted" | while read -r _ names; do for n in $names; do translate "$manager" "$n"; done; done | sort -u | tr '\n' ' ')
    sudo=
    [ "$(id -u)" -eq 0 ] || [ "$manager" = brew ] || sudo=sudo
    if [ -z "$manager" ] || { [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; }; then
        echo "make deps: cannot install here; please install: $packages" >&2
        exit 1
    fi
    echo "  DEPS  $packages"
    # shellcheck disable=SC2086
    # Whether it worked is seen below, by looking again.
    case $manager in
    apt-get)
        $sudo apt-get update -qq || echo "make deps: apt-get update failed, trying with the lists that are here" >&2
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2 || true ;;
    dnf) $sudo dnf install -y -q $packages >&2 || true ;;
    pacman) $sudo pacman -S --needed --noconfirm $packages >&2 || true ;;
    brew) brew install -q $packages >&2 || true ;;
    esac
    hash -r 2>/dev/null || true
    still=$(missing "$@")
    [ -z "$still" ] || { printf 'make deps: still missing after the installation:\n%s\n' "$still" >&2; exit 1; }
}

# pkg-config's -I becomes -isystem: our warnings are for our code.
variables() {
    echo "# Written by tests/lint/deps.sh from the deps files."
    for file in "$@"; do
        key=$(basename "$(dirname "$file")")
        names=$(lines "$file" | awk '$1 !~ /:/ { print $1 }')
        [ -n "$names" ] || continue
        # shellcheck disable=SC2086
        echo "PKG_CFLAGS.$key := $(pkg-config --cflags $names | sed 's/-I/-isystem /g')"
        # shellcheck disable=SC2086
        echo "PKG_LIBS.$key := $(pkg-config --libs $names)"
    done
}

version() { command -v "$1" >/dev/null 2>&1 && printf '  %-22s %s\n' "$1" "$("$@" 2>&1 | head -1)" || printf '  %-22s missing\n' "$1"; }

doctor() {
    echo "Tools"
    for tool in "$CC" gcc clang make python3 git psql; do version "$tool" --version; done
    echo "Dependencies"
    lines "$@" | while read -r thing packages; do
        if ! present "$thing"; then printf '  %-22s MISSING (%s)\n' "$thing" "$packages"; continue; fi
        case $thing in *:*) found=found ;; *) found=$(pkg-config --modversion "$thing") ;; esac
        printf '  %-22s %s\n' "$thing" "$found"
    done
    echo "Machine"
    printf '  %-22s %s\n' system "$(uname -sr)" cores "$(getconf _NPROCESSORS_ONLN)"
    python3 - <<'PY' || printf '  %-22s %s\n' fdatasync "not measured (no python3)"
import os, tempfile, time
sync = getattr(os, "fdatasync", os.fsync)
with tempfile.NamedTemporaryFile(dir=".") as f:
    f.write(bytes(4096 * 4096)); f.flush(); os.fsync(f.fileno())
    start, count = time.monotonic(), 0
    while time.monotonic() < start + 1:
        os.pwrite(f.fileno(), b"x" * 4096, count % 4096 * 4096); sync(f.fileno()); count += 1
print("  %-22s %d per second (4 KiB each, written before, in this directory)" % ("fdatasync", count))
PY
}

case $command in
install) install "$@" ;;
make) variables "$@" ;;
doctor) doctor "$@" ;;
*) echo "deps.sh: install, make or doctor" >&2; exit 2 ;;
esac
