"""What ``python -m fastbp`` does, from the command line to the picture.

``command`` asks ``bundled`` or ``table`` for tasks, has both libraries learn each (``compare``,
with ``progress`` on stderr), and shows what came of it (``report``, ``picture``).
"""
