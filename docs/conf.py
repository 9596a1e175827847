"""How the pages in this folder become a site, in which examples have run: see CONTRIBUTING.md."""

import re
import warnings

from sklearn.exceptions import ConvergenceWarning

import fastbp

project = "fastbp"
author = copyright = "The fastbp developers"
version = release = fastbp.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery"]  # sources of auto_gallery, which the build makes
nitpicky = True

# Pages ---------------------------------------------------------------------------------------

html_theme = "furo"  # without web fonts or scripts from elsewhere: the site works offline
html_title = f"fastbp {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#30638e", "color-brand-content": "#30638e"},
    "dark_css_variables": {"color-brand-primary": "#8ebbe0", "color-brand-content": "#8ebbe0"},
}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
myst_heading_anchors = 3

# Reference -----------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
templates_path = ["templates"]
default_role = "py:obj"  # `name` in a docstring is a link where there is such a name ...
nitpick_ignore_regex = [("py:obj", ".*")]  # ... and need not be one

# Examples ------------------------------------------------------------------------------------

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # examples stop early on purpose
sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_gallery"],
    "filename_pattern": r"\.py$",
    "subsection_order": ["gallery/stories", "gallery/pictures", "gallery/data"],
    "within_subsection_order": "FileNameSortKey",
    "capture_repr": ("_repr_html_",),
    "image_srcset": ["2x"],
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "reference_url": {"fastbp": None},
    "doc_module": ("fastbp",),
    "backreferences_dir": "reference/examples",
    "write_computation_times": False,
}

# Where a checkout and the site differ ---------------------------------------------------------

EXAMPLE = re.compile(r"(\]\((?:\.\./)*)gallery/(\w+/\w+)\.py\)")
FOLDER = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[\w/]+/\)")


def adapt_page(app, docname, source):
    """Point links to an example's source to its page, and take links to folders out."""
    text = EXAMPLE.sub(r"\1auto_gallery/\2.rst)", source[0])
    source[0] = FOLDER.sub(r"\1", text)
    if docname == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"


def leave_out(app, what, name, member, skip, options):
    """Leave out what scikit-learn documents: it is in every estimator."""
    module = getattr(member, "__module__", None) or ""
    return True if module.startswith("sklearn.") else skip


def setup(app):
    """Connect the functions above."""
    app.connect("source-read", adapt_page)
    app.connect("autodoc-skip-member", leave_out)
