#!/bin/sh
# Builds the kernels with their test program in a folder of its own, and runs it.
#     CC=cc CFLAGS=-O3 RUNNER= tests/c/run.sh [FOLDER]
# RUNNER goes before the program: RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
set -eu
here=$(cd "$(dirname "$0")" && pwd)
csrc=$(cd "$here/../../csrc" && pwd)
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$folder"' EXIT
cd "$folder"

# The options of setup.py.
cc="${CC:-cc} -std=gnu11 -ffp-contract=off -Wall -Wextra ${CFLAGS--O3} -I $csrc"
# shellcheck disable=SC2086 # lists of words
printf '%s\n' "$csrc"/*.c "$csrc"/targets/*.c "$here/test_kernels.c" |
    xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN)" $cc -c
# shellcheck disable=SC2086
$cc ./*.o -lm -o test_kernels
# shellcheck disable=SC2086
${RUNNER:-} ./test_kernels
