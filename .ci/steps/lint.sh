# Python, Cython, C and the configuration files
source .ci/environment.sh
use_test_venv

python .ci/requirements.py lint | python -m pip install -r /dev/stdin

ruff check
ruff format --check
mypy
cython-lint src
find csrc -name '*.c' -exec gcc -std=gnu11 -Icsrc -O1 -Wall -Wextra -Werror -fsyntax-only {} +

validate-pyproject pyproject.toml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
pre-commit validate-config .pre-commit-config.yaml
for platform in linux macos windows; do
    cibuildwheel --print-build-identifiers --platform "$platform" .
done
