# the kernels compiled for macOS, Windows and musl, their test program run on musl and under Wine
source .ci/environment.sh
folder=$work/platforms
mkdir -p "$folder"
[ -x "$work/zig/bin/python" ] || { new_venv "$work/zig" && "$work/zig/bin/python" -m pip install "ziglang>=0.17.1,<0.18"; }
# A cache of its own, where what zig makes of each system's C library stays.
export ZIG_GLOBAL_CACHE_DIR=$work/zig/cache ZIG_LOCAL_CACHE_DIR=$work/zig/cache
zig="$work/zig/bin/python -m ziglang cc -g0 -fno-sanitize=undefined -target"

# tasks PLATFORM FILE...: lines of what `compile` takes
tasks() {
    mkdir -p "$folder/$1"
    printf "$1 %s\n" "${@:2}"
}

# What is not run is not optimised either. Headers of Windows define plain words, such as near and small:
# every file has to stand that, since those that Python's headers precede cannot choose.
compile() {
    local options=(-std=gnu11 -O0 -ffp-contract=off -Wall -Wextra -Werror -I csrc)
    case $1 in *windows*) options+=(-include windows.h) ;; esac
    $zig "$1" "${options[@]}" -c "$2" -o "$folder/$1/$(basename "$2" .c).o" || { echo "$2, for $1" >&2; return 255; }
}
export -f compile
export folder zig

every=(csrc/*.c csrc/targets/scalar_*.c)
{
    tasks x86_64-macos "${every[@]}" csrc/targets/avx*.c
    for platform in aarch64-macos aarch64-windows-gnu aarch64-linux-musl; do
        tasks "$platform" "${every[@]}" csrc/targets/neon_*.c
    done
} | xargs -L 1 -P "$(getconf _NPROCESSORS_ONLN)" bash -c 'compile "$@"' compile

# run PLATFORM RUNNER: builds the test program as setup.py would, for AVX2, and runs it, which has to find that
run() {
    printf '\n%s\n' "$1"
    CC="$zig $1" CFLAGS="-O1 -Werror" ISAS=avx2 RUNNER=$2 tests/c/run.sh "$folder/$1" | tee "$folder/$1.txt"
    grep -q '^avx2 float64' "$folder/$1.txt" || fail "the kernels for AVX2 were not run"
}
[ "$(uname -m)" = x86_64 ] || { echo "skipped: x86-64, which this machine cannot run"; exit 0; }
run x86_64-linux-musl ""
need wine wine wine64
export WINEPREFIX=$work/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
run x86_64-windows-gnu wine
