"""The interactive page: one step of backpropagation, or training as it went, in one file.

`data` chooses what a page holds, `document` puts it beside the program, `widget` is the same in a
notebook; `fastbp._html` has the methods of what has a page. The program, page.js, is built from the
sources in the repository's folder page/.
"""
