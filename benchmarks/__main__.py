"""Print the table of benchmarks."""

import os

import torch

from benchmarks.cloud import cloud_cost
from benchmarks.lowrank import lowrank_cost
from benchmarks.measure import table
from benchmarks.sampling import jump_cost, loop_overhead
from benchmarks.theory import moments_cost


def main() -> None:
    """Run every benchmark, one after the other, and print their ratios."""
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} processors\n")
    large = lowrank_cost()  # first, from a process that is still small
    print(table([*large, loop_overhead(), jump_cost(), moments_cost(), *cloud_cost()]))
    print(
        "\nratio: median over pairs that ran in turn; ours and reference: medians; memory and the largest images: once."
    )


if __name__ == "__main__":
    main()
