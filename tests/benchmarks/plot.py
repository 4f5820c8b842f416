"""Draw the cost of a call against its number of arguments: `plot.py RESULTS PICTURE`, where matplotlib is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

# The same input gives the same file.
mpl.rcParams.update({"svg.hashsalt": "scverse-backends", "svg.fonttype": "none", "font.size": 9})
COLOURS = {
    "bare": "0.6",
    "scoped": "0.35",
    "ours": "C0",
    "by hand": "k",
    "0.0.3": "C3",
    "networkx": "C2",
    "spatch": "C4",
}
LABELS = {
    "by hand": "written by hand",
    "ours": "scverse-backends",
}


def main() -> None:
    results, picture = map(Path, sys.argv[1:])
    panels = json.loads(results.read_text(encoding="utf-8"))["plot"]
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, panel in zip(axes, panels, strict=True):
        for line in panel["lines"]:
            style = "-" if line["style"] == "positional" else "--"
            label = LABELS.get(line["library"], line["library"])
            if line["style"] == "keyword":
                label = None
            costs = [seconds * 1e6 for seconds in line["seconds"]]
            axis.plot(
                line["sizes"], costs, style, color=COLOURS[line["library"]], marker="o", markersize=3, label=label
            )
        axis.set(title=panel["title"], xlabel="arguments", yscale="log")
        axis.grid(visible=True, which="both", alpha=0.2)
    axes[0].set_ylabel("one call (µs)\nsolid: positional, dashed: keyword")
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, frameon=False)
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
