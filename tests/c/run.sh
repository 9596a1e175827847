#!/bin/sh
# Builds the kernels' test program in a folder of its own, and runs it.
#     CC=cc CFLAGS=-O2 OBJECTS= ISAS= EMULATED= RUNNER= tests/c/run.sh [FOLDER]
# OBJECTS: a folder of compiled kernels, else they are compiled here.
# ISAS: the instruction sets to compile kernels for, such as "avx2"; else all.
# EMULATED=1: AVX-512 by SIMDe, where the machine has AVX2 only.
# RUNNER goes before the program: RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
set -eu
here=$(cd "$(dirname "$0")" && pwd)
csrc=$(cd "$here/../../csrc" && pwd)
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cd "$folder"

# The options of setup.py.
cc="${CC:-cc} -std=gnu11 -ffp-contract=off -Wall -Wextra -I $csrc"
emulated=
if [ "${EMULATED:-}" ]; then
    # What the compiler says of vectors too long for registers, and of pragmas it does not know, is SIMDe's.
    emulated="-DFBP_EMULATED -include $here/emulated_avx512.h -mavx2 -mfma -mpopcnt -Wno-psabi -Wno-unknown-pragmas"
fi

# kernels OPTIONS FILE...: compiles these, side by side
kernels() {
    options=$1
    shift
    # shellcheck disable=SC2086 # lists of words
    printf '%s\n' "$@" | xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN)" $cc ${CFLAGS--O2} $options -c
}

# shellcheck disable=SC2086
$cc -O2 ${CFLAGS-} ${emulated:+-DFBP_EMULATED} -c "$here/test_kernels.c"
if [ "${OBJECTS:-}" ]; then
    objects=$(find "$OBJECTS" -name '*.o' -o -name '*.obj')
else
    if [ "${ISAS:-}" ]; then
        without= sources=
        for isa in scalar avx2 avx512 neon; do
            case " $ISAS " in
                *" $isa "*) sources="$sources $csrc/targets/${isa}_f32.c $csrc/targets/${isa}_f64.c" ;;
                *) without="$without -DFBP_WITHOUT_$(echo "$isa" | tr '[:lower:]' '[:upper:]')" ;;
            esac
        done
        # shellcheck disable=SC2086
        kernels "$without" "$csrc"/*.c $sources
    elif [ "$emulated" ]; then
        kernels "" "$csrc"/*.c "$csrc"/targets/[!a]*.c "$csrc"/targets/avx2_*.c
        kernels "$emulated" "$csrc"/targets/avx512_*.c
    else
        kernels "" "$csrc"/*.c "$csrc"/targets/*.c
    fi
    objects=$(find . -name '*.o*' ! -name 'test_kernels.*')
fi
# shellcheck disable=SC2086
$cc ${CFLAGS-} test_kernels.o* $objects -lm -o test_kernels
# shellcheck disable=SC2086
${RUNNER:-} ./test_kernels
