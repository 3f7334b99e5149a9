# Sourced by the other scripts: finds a Python, makes the virtual environment, installs the project into it.
# Sets: TOP (checkout), GWMS_CACHE (this user's cache, readable by the account the grid runs as), VENV, PATH.
# shellcheck shell=bash
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export GWMS_CACHE=${GWMS_CACHE:-/var/tmp/gwms-$(id -u)}
(umask 022 && mkdir -p "$GWMS_CACHE")

# As root everything that runs drops to an unprivileged account, which must be able to run this Python too.
as_anybody() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
    else
        "$@"
    fi
}

# Not one of our own virtual environments, which may be on PATH: it is what gets made anew.
find_python() {
    local p PATH=${PATH//"$GWMS_CACHE"\/venv-/\/nonexistent-}
    for p in ${GWMS_PYTHON:-} python3.11 python3.12 python3.13 python3 /usr/bin/python3; do
        p=$(command -v "$p" 2> /dev/null) || continue
        if as_anybody "$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            echo "$p"
            return
        fi
    done
    echo "setup: no Python >= 3.11 that an ordinary user can run; install one or set GWMS_PYTHON" >&2
    return 1
}

# Debian's python3 has no pip of its own unless python3-venv is there.
make_venv() {
    if "$PYTHON" -c 'import ensurepip' 2> /dev/null; then
        "$PYTHON" -m venv "$VENV"
    elif [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install python3-venv > /dev/null
        "$PYTHON" -m venv "$VENV"
    else
        "$PYTHON" -m venv --without-pip "$VENV"
        if ! (cd "$VENV" && apt-get -q download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb whl); then
            echo "setup: this Python has no ensurepip; install python3-venv" >&2
            return 1
        fi
        "$VENV/bin/python" "$(echo "$VENV"/whl/usr/share/python-wheels/pip-*.whl)/pip" -qq install pip
    fi
}

# Editable where the account that runs the grid can read the checkout; else a copy, renewed at every start.
install_project() {
    local want
    want=$(sha256sum "$TOP/pyproject.toml")
    if [ "$(cat "$VENV/.ready" 2> /dev/null)" != "$want" ]; then
        # one that works is brought up to date in place: others may be using it
        if "$VENV/bin/python" -m pip --version > /dev/null 2>&1; then
            echo "setup: updating the virtual environment $VENV" >&2
        else
            echo "setup: making the virtual environment $VENV" >&2
            rm -rf "$VENV"
            make_venv || return 1
        fi
        "$VENV/bin/pip" -qq install --upgrade pip hatchling || return 1
        if as_anybody test -r "$TOP/glideinwms/__init__.py"; then
            # without the documentation's tools where they cannot be had
            "$VENV/bin/pip" -qq install -e "${TOP}[dev,docs]" || "$VENV/bin/pip" -qq install -e "${TOP}[dev]" || return 1
            rm -f "$VENV/.copied"
        else
            "$VENV/bin/pip" -qq install "${TOP}[dev,docs]" || "$VENV/bin/pip" -qq install "${TOP}[dev]" || return 1
            touch "$VENV/.copied"
        fi
        echo "$want" > "$VENV/.ready"
    elif [ -e "$VENV/.copied" ]; then
        "$VENV/bin/pip" -qq install --no-deps --no-build-isolation --force-reinstall "$TOP"
    fi
}

PYTHON=$(find_python) || exit 1
VENV=$GWMS_CACHE/venv-$(printf '%s %s' "$TOP" "$("$PYTHON" -V)" | sha256sum | cut -c1-12)
(
    umask 022
    flock 9
    install_project
) 9> "$GWMS_CACHE/setup.lock" || exit 1
export VENV PATH="$VENV/bin:$PATH"
cd "$TOP" || exit 1
