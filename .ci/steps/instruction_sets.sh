# the core's tests with each instruction set that this machine has
source .ci/environment.sh
use_test_venv

names=$(python -c 'import fastbp._core; print(*fastbp._core.available_isas())')
for name in $names; do
    printf '\nFASTBP_ISA=%s\n' "$name"
    FASTBP_ISA=$name python -m pytest --quiet --numprocesses 2 "${core_tests[@]}"
done
