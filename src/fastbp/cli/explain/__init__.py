"""What ``fastbp explain`` does, from the command line to the page in the browser.

``command`` asks ``salaries`` and ``shower`` for the two stories, ``training`` for a network trained
on a file, or ``model_file`` for a step of a model of the user's, and writes what they return as a
page: whatever has ``to_html(path)``.
"""
