# the kernels' own tests under AddressSanitizer and UndefinedBehaviorSanitizer
source .ci/environment.sh

# Templates are the same for every instruction set, and take minutes to compile so: one is enough here.
[ "$(uname -m)" = x86_64 ] && : "${ISAS=avx2}" || : "${ISAS=neon}"
export ISAS
CFLAGS="-g1 -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined" tests/c/run.sh
