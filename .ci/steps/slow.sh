# the tests that take long, or depend on the machine's speed or memory
source .ci/environment.sh
use_test_venv

python -m pytest --numprocesses 2 -m slow
