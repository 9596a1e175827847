"""Make interactive_page.png: a screenshot of a recording's page, at the chain rule of one weight.

``python docs/pictures/interactive_page.py`` needs Chromium and Pillow, which matplotlib brings.
"""

import subprocess
import tempfile
import warnings
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from fastbp import BackpropClassifier, record

PICTURE = Path(__file__).with_suffix(".png")
STEPS = 11  # to the gradients of layer 1

warnings.simplefilter("ignore", ConvergenceWarning)  # forty epochs are enough for a picture
iris = load_iris(as_frame=True)
X = iris.data.copy()
X.columns = [name.removesuffix(" (cm)") for name in X.columns]
model = BackpropClassifier(
    hidden_layer_sizes=(5,),
    activation="tanh",
    learning_rate="constant",
    tol=0,
    max_iter=40,
    early_stopping=False,
    random_state=0,
)
recording = record(model, X, iris.target_names[iris.target])

click = "document.querySelector('[aria-label=Step]').click();"
script = f"<script>addEventListener('load', () => {{ {click * STEPS} }})</script>"
with tempfile.TemporaryDirectory() as folder:
    page, screenshot = Path(folder, "page.html"), Path(folder, "page.png")
    recording.to_html(page)
    page.write_text(page.read_text(encoding="utf-8") + script, encoding="utf-8")
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--window-size=1100,1060",
            "--virtual-time-budget=4000",
            f"--screenshot={screenshot}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    Image.open(screenshot).convert("RGB").quantize(128).save(PICTURE, optimize=True)
