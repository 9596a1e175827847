# the README's test command, in a fresh virtual environment, on two processors
source .ci/environment.sh

command=$(awk '/^ *```/ { fenced = !fenced } fenced && /-m pytest/ { print; exit }' README.md)
[ -n "$command" ] || fail "README.md has no fenced command with '-m pytest'"

new_venv "$test_venv"
printf '$ %s\n' "$command"
PATH=$test_venv/bin:$PATH PYTEST_ADDOPTS="--numprocesses 2 --durations=25 --durations-min=3" bash -c "$command"
