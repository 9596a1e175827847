# the kernels cross-compiled for 64-bit ARM, their test program run under emulation
source .ci/environment.sh
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
need qemu-aarch64 qemu-user

mkdir -p "$work/neon"
cc="aarch64-linux-gnu-gcc -std=gnu11 -O3 -ffp-contract=off -Wall -Wextra -Werror"
(cd "$work/neon" && find ../../../csrc -name '*.c' -exec $cc -I ../../../csrc -c {} +)
if [ -x tests/c/run.sh ]; then
    CC=$cc RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" tests/c/run.sh "$work/neon"
fi
