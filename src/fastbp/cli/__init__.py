"""``python -m fastbp``: `demo` and `explain`, and what commands share (`console`)."""
