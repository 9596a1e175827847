"""Print the project's requirements, or with an argument those of that extra, one a line."""

import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]

extras = project["optional-dependencies"]
print(*(extras[sys.argv[1]] if sys.argv[1:] else project["dependencies"]), sep="\n")
