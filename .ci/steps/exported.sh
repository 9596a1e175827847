# models written as C, compiled by gcc and clang, and run on ARM processors under emulation
source .ci/environment.sh
use_test_venv
need clang clang libclang-rt-dev
need arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
need qemu-arm qemu-user
need arm-none-eabi-gcc gcc-arm-none-eabi libnewlib-arm-none-eabi
need qemu-system-arm qemu-system-arm

# clang may be there without its sanitizers, which those tests need.
clang -fsanitize=address -x c -o /dev/null - <<<"int main(void) { return 0; }" 2>/dev/null ||
    apt_install libclang-rt-dev || fail "this step needs clang's sanitizers"

python -m pytest -q tests/export/test_c_on_arm.py
python -m pytest -q tests/export/test_c.py -k clang # gcc is a matter of the other tests
