"""``fastbp compare``, from the options to the picture.

``command`` asks ``bundled`` or ``table`` for tasks, has both libraries learn each (``training``),
and shows what came of it (``report``, ``picture``).
"""
