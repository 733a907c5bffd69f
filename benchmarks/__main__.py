"""Print the table of benchmarks, each row as soon as it is measured."""

import os
from collections.abc import Callable, Iterable

import torch

from benchmarks.cloud import cloud_cost
from benchmarks.frechet import bootstrap_cost
from benchmarks.lowrank import lowrank_cost
from benchmarks.measure import Ratio, print_each
from benchmarks.sampling import jump_cost, loop_overhead
from benchmarks.theory import moments_cost


def main() -> None:
    """Run every benchmark, one after the other, and print their ratios as they come."""
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} processors\n")
    benchmarks: dict[str, Callable[[], Iterable[Ratio]]] = {
        "the low-rank eigenbasis": lowrank_cost,  # first, from a process that is still small
        "the sampling loop": lambda: [loop_overhead()],
        "a jump": lambda: [jump_cost()],
        "moments": lambda: [moments_cost()],
        "point cloud and mixture": cloud_cost,
        "the bootstrap of a Frechet distance": lambda: [bootstrap_cost()],
    }
    print_each(benchmarks)
    print(
        "\nratio: median over pairs that ran in turn; ours and reference: medians; memory and the largest images: once."
    )


if __name__ == "__main__":
    main()
