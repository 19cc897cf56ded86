#!/bin/sh
# Install, upgrade or remove hookcast from the folder that this script lies in (the unpacked tarball).
#
#   ./install.sh              install, or upgrade what is there; keeps the configuration and the data
#   ./install.sh --uninstall  remove the program and its unit; keeps the configuration and the data
#   ./install.sh --purge      remove those too
#
# DESTDIR=/some/root installs into another root and touches no running system.
# Running it again changes nothing that is right already; it says what it did.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
bin=$root/usr/bin/hookcast
unit_dir=$root/usr/lib/systemd/system
sysusers=$root/usr/lib/sysusers.d/hookcast.conf
hand_over=$root/usr/lib/hookcast/hand-over
config=$root/etc/hookcast/hookcast.toml
data=$root/var/lib/hookcast

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# In another root nothing is started, stopped or created in the running system's user database.
live() { [ -z "$root" ]; }
booted() { live && [ -d /run/systemd/system ]; }

# The binary lies beside the script in a tarball, and where cargo puts it in a checkout.
program() {
    for candidate in "$here/hookcast" "$here/../target/release/hookcast"; do
        if [ -x "$candidate" ]; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "no hookcast binary beside this script"
}

# put SOURCE TARGET MODE: copy unless it is the same; a running binary is replaced, not written into.
put() {
    if [ -f "$2" ] && cmp -s "$1" "$2"; then
        return 1
    fi
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.new"
    chmod "$3" "$2.new"
    mv "$2.new" "$2"
    say "wrote $2"
}

install_all() {
    changed=no
    unit=kept
    put "$here/hand-over" "$hand_over" 755 && changed=yes
    put "$here/hookcast.service" "$unit_dir/hookcast.service" 644 && changed=yes && unit=changed
    put "$here/hookcast.socket" "$unit_dir/hookcast.socket" 644 && changed=yes && unit=changed
    binary=kept
    put "$(program)" "$bin" 755 && changed=yes && binary=changed
    put "$here/hookcast.sysusers" "$sysusers" 644 || true
    if [ -f "$config" ]; then
        say "kept $config"
    else
        put "$here/hookcast.toml" "$config" 644 || true
    fi
    if live; then
        create_user
        mkdir -p "$data"
        chown hookcast:hookcast "$data"
        chmod 700 "$data"
        "$bin" check-config --config "$config" >/dev/null || fail "the configuration is not valid; see above"
    fi
    if booted; then
        systemctl daemon-reload
        if systemctl is-active --quiet hookcast.service; then
            if [ "$binary" = changed ]; then
                "$hand_over" "$bin" "$config"
            fi
            if [ "$unit" = changed ]; then
                say "the unit has changed: what is new in it counts from the next restart on (systemctl restart hookcast)"
            fi
        else
            systemctl enable --now hookcast.service
            say "started hookcast.service"
        fi
        say "status: systemctl status hookcast    log: journalctl -u hookcast"
    else
        say "systemd is not running here: start it with '$bin serve --config $config'"
    fi
    [ "$changed" = yes ] || say "hookcast was up to date"
}

create_user() {
    if getent passwd hookcast >/dev/null; then
        return
    fi
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers "$sysusers"
    else
        useradd --system --user-group --home-dir /var/lib/hookcast --shell /usr/sbin/nologin hookcast
    fi
    say "created the user hookcast"
}

uninstall() {
    if booted; then
        systemctl disable --now hookcast.service hookcast.socket 2>/dev/null || true
    fi
    for file in "$bin" "$unit_dir/hookcast.service" "$unit_dir/hookcast.socket" "$sysusers" "$hand_over"; do
        if [ -e "$file" ]; then
            rm -f "$file"
            say "removed $file"
        fi
    done
    rmdir "$(dirname "$hand_over")" 2>/dev/null || true
    if booted; then
        systemctl daemon-reload
    fi
}

purge() {
    for directory in "$(dirname "$config")" "$data"; do
        if [ -d "$directory" ]; then
            rm -rf "$directory"
            say "removed $directory"
        fi
    done
    if live && getent passwd hookcast >/dev/null; then
        userdel hookcast
        say "removed the user hookcast"
    fi
}

if live && [ "$(id -u)" != 0 ]; then
    fail "run this as root"
fi
case "${1:-}" in
    "") install_all ;;
    --uninstall)
        uninstall
        say "kept $(dirname "$config") and $data; --purge removes them"
        ;;
    --purge)
        uninstall
        purge
        ;;
    *) fail "usage: install.sh [--uninstall | --purge]" ;;
esac
