# the installed wheel trains on the oldest x86-64 that NumPy still supports
source .ci/environment.sh
[ "$(uname -m)" = x86_64 ] || { echo "skipped: not an x86-64 machine"; exit 0; }
need qemu-x86_64 qemu-user

# An OpenBLAS kernel chosen for this machine's CPU would not run on the emulated one.
unset OPENBLAS_CORETYPE
qemu-x86_64 -cpu Nehalem "$work/python3.11/bin/python" .ci/train_a_few_rows.py
