"""Print the project's requirements, or with arguments those of these extras, one a line."""

import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]

extras = project["optional-dependencies"]
names = sys.argv[1:]
wanted = [line for name in names for line in extras[name]] if names else project["dependencies"]
print(*wanted, sep="\n")
