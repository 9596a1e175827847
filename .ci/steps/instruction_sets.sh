# the core's tests with each instruction set that fastbp would not choose on this machine
source .ci/environment.sh
use_test_venv

for name in kernels vector_math widths trajectories; do # which take each set in turn by themselves
    core_tests+=("--ignore-glob=*/test_$name*")
done

names=$(python -c 'from fastbp._core.isa import ISA, available_isas; print(*set(available_isas()) - {ISA})')
for name in $names; do
    printf '\nFASTBP_ISA=%s\n' "$name"
    FASTBP_ISA=$name python -m pytest --quiet --numprocesses 2 "${core_tests[@]}"
done
