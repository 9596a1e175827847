# the compiled core under AddressSanitizer and UndefinedBehaviorSanitizer
source .ci/environment.sh
use_test_venv

sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"

sanitized=$work/sanitized
FASTBP_OPT="-g -O1 -UNDEBUG -fno-omit-frame-pointer $sanitizers" \
    python -m pip install --no-deps --upgrade --target "$sanitized" .

export LD_PRELOAD PYTHONMALLOC=malloc PYTHONPATH=$sanitized
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# Without the C++ library beside it, it ends the process at the first exception of anybody's C++.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)"
python -c 'import fastbp._core.isa; print(fastbp._core.isa.__file__)' | grep -F "$sanitized"
python -m pytest -p no:faulthandler --capture=sys "${core_tests[@]}"
