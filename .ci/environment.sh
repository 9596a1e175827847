# Sourced by .ci/run and its steps: where things are, and how to get what is missing.
python=${PYTHON:-python3.11}
work=$PWD/build/ci
test_venv=$work/test
# Where compiled code has something to say; the rest drives scikit-learn, tools and pictures.
core_tests=(tests/{c,core,network,online,training,trace} tests/repository/test_fuzz.py)
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=2

fail() {
    printf '\n!!! %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt_install PACKAGE...: false, and loud, where that is not for us to do; else it works or ends the step.
apt_install() {
    if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
        printf '\n!!! cannot apt-get install here: %s\n' "$*" >&2
        return 1
    fi
    printf 'installing %s\n' "$*"
    export DEBIAN_FRONTEND=noninteractive
    (
        flock 9 # of two steps at a time, one
        as_root apt-get -qq update && as_root apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    ) 9>"$work/installing" || fail "apt-get could not install $*"
}

# need COMMAND PACKAGE...: ends the step, as skipped, where COMMAND can be neither found nor installed.
need() {
    command -v "$1" >/dev/null || apt_install "${@:2}" || {
        printf '!!! SKIPPED: this step needs %s\n\n' "$1" >&2
        exit 0
    }
}

# new_venv FOLDER [PYTHON]
new_venv() {
    rm -rf "$1"
    "${2:-$python}" -m venv "$1"
}

use_test_venv() {
    [ -x "$test_venv/bin/python" ] || fail "no environment yet: .ci/run tests"
    PATH=$test_venv/bin:$PATH
}
