"""The interactive page: one step of backpropagation, or training as it went, in one file.

`data` chooses what a page holds, `document` puts it beside the program, `widget` is the same in a
notebook. The program, page.js, is built from the sources in the repository's folder page/.
"""
