# the interactive page: its program is what its sources build, and works in node and in Chromium
source .ci/environment.sh
use_test_venv
need node nodejs npm
need npm npm
need chromium chromium
need chromedriver chromium-driver

(
    cd page
    npm ci --no-audit --no-fund
    npm test
    npm run build
)
git diff --exit-code --stat -- src/fastbp/page/page.js ||
    fail "src/fastbp/page/page.js is not what page/ builds: run npm run build in page/, and commit it"

python .ci/requirements.py browser | python -m pip install -r /dev/stdin
FASTBP_BROWSER_TESTS=required python -m pytest -m "" tests/page/test_page_browser.py tests/page/test_page_steps.py \
    tests/cli/test_explain_browser.py
