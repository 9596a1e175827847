# the drop-in with the oldest and the newest scikit-learn that it knows
source .ci/environment.sh
use_test_venv

# The extension serves every Python and NumPy, so the oldest scikit-learn needs no build of its own.
oldest=$work/oldest_scikit_learn
package=$(python -c 'import fastbp, pathlib; print(pathlib.Path(fastbp.__file__).parents[1])')
new_venv "$oldest"
"$oldest/bin/python" -m pip install "scikit-learn==1.6.1" "scipy<1.16" "numpy<2.4" pandas pytest pytest-xdist
for interpreter in "$oldest/bin/python" python; do
    "$interpreter" -c 'import sklearn; print("scikit-learn", sklearn.__version__)'
    PYTHONPATH=$package "$interpreter" -m pytest -q -n 2 -m "" \
        tests/neural_network/test_{neural_network,neural_network_host,patch,callbacks}.py
done
