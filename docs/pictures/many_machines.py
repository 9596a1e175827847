"""Draw many_machines.svg, of the figures in decisions/0029-many-machines.csv."""

import csv
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
STYLES = {
    ("plain", 5): ("averages alone", "tab:gray", "-"),
    ("defaults", 5): ("momentum, 5 rounds an epoch", "tab:blue", "-"),
    ("defaults", 20): ("momentum, 20 rounds an epoch", "tab:blue", "--"),
}


def main() -> None:
    """Draw a panel for each data set."""
    with open(HERE.parent / "decisions" / "0029-many-machines.csv") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["data"] for row in rows))
    mpl.rcParams["svg.hashsalt"] = "many machines"  # the same file each time
    figure, axes = plt.subplots(1, len(names), figsize=(11, 3), layout="constrained")
    for axis, name in zip(axes, names, strict=True):
        for (way, rounds), (label, color, line) in STYLES.items():
            mine = [
                row
                for row in rows
                if (row["data"], row["way"], row["rounds_an_epoch"]) == (name, way, str(rounds))
            ]
            shards, scores = ([float(row[key]) for row in mine] for key in ("shards", "score"))
            axis.plot(shards, scores, line, color=color, marker=".", label=label)
        axis.set(title=name, xlabel="shards", xscale="log", xticks=(1, 2, 4, 8, 16, 64))
        axis.set_xticklabels((1, 2, 4, 8, 16, 64))
        axis.minorticks_off()
    axes[0].set_ylabel("score of rows held out")
    axes[0].legend(fontsize=7)
    figure.savefig(HERE / "many_machines.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
