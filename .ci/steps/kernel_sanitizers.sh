# the kernels' own tests under AddressSanitizer and UndefinedBehaviorSanitizer
CFLAGS="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined" tests/c/run.sh
