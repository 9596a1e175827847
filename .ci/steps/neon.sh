# the kernels cross-compiled for 64-bit ARM, their test program run under emulation
source .ci/environment.sh
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
need qemu-aarch64 qemu-user

CC=aarch64-linux-gnu-gcc CFLAGS="-O2 -Werror" RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" tests/c/run.sh
