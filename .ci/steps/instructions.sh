# no kernel takes over a tenth more instructions a row than the committed baseline says
source .ci/environment.sh
need valgrind valgrind
use_test_venv

python -m benchmarks.instructions --check
