"""Files as tables: which text a file holds, how it is delimited, and what its columns are.

``text`` finds the encoding, ``dialect`` the delimiter and the line of names, ``columns`` what the
values of a column are, ``table`` reads a file with that and says how, as Python code too.
"""
