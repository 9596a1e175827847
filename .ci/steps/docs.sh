# the documentation: examples run, links lead somewhere, nothing is loaded from elsewhere
source .ci/environment.sh
use_test_venv

python .ci/requirements.py docs | python -m pip install -r /dev/stdin

if python -c 'import ray' 2>/dev/null; then
    python -m pytest -q tests/cluster/test_ray.py
else
    printf '!!! no Ray for this Python: its recipe was not run\n'
fi

pages=$work/docs
rm -rf "$pages" docs/auto_gallery docs/reference/examples docs/reference/generated
python -m sphinx -q -W --keep-going -n -d "$work/doctrees" docs "$pages"

loads='<(script|link|img|iframe|source)[^>]*(src|href)="(https?:)?//'
! grep -rnE "$loads" "$pages" --include='*.html' || fail "a page loads something from elsewhere"
! grep -rnE '(@import|url\()[^;]*https?:' "$pages" --include='*.css' || fail "a style sheet does"
printf 'see %s\n' "$pages/index.html"
