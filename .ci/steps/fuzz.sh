# random networks, calls, damaged input, threads and exported models, for a minute; FUZZ_SEED and FUZZ_MINUTES for others
source .ci/environment.sh
use_test_venv

python -m tests.fuzz --minutes "${FUZZ_MINUTES:-1}" --seed "${FUZZ_SEED:-1}"
# A hundred fits that are killed: each takes about a second.
python -m tests.fuzz --only kills --count 100 --seed "${FUZZ_SEED:-1}"
