"""The figure of jumps in latent space, drawn from a table with known values."""

from __future__ import annotations

import pandas as pd

from tests.helpers.jumps import sweep_table
from underpainting.plotting.latent_teleport import LOOKS, latent_teleport


def test_a_panel_per_measure_and_scale_holds_a_line_per_way() -> None:
    table = sweep_table()
    figure = latent_teleport(table, "ddim-20", "known")
    panels = [axes for axes in figure.axes if axes.has_data()]
    assert len(panels) == 4 * table["guidance"].nunique()
    ways = table[["kind", "gaussian"]].drop_duplicates()
    drawn = [way for way in ways.itertuples(index=False, name=None) if way in LOOKS]
    curves = [line for line in panels[0].get_lines() if line.get_linestyle() != "None"]
    assert len(curves) == len(drawn)
    plain = table[(table["kind"] == "plain") & (table["group"] == "known") & (table["guidance"] == 1)]
    assert sorted(curves[0].get_xdata()) == sorted(plain["nfe"])


def test_measures_that_were_not_made_have_no_panels() -> None:
    table = sweep_table().drop(columns=["rmse_to_network", "rmse_to_network_low", "rmse_to_network_high"])
    figure = latent_teleport(pd.DataFrame(table), "ddim-20", "left out")
    assert len([axes for axes in figure.axes if axes.has_data()]) == 3 * table["guidance"].nunique()


def test_distances_are_drawn_no_lower_than_those_of_real_images() -> None:
    table = sweep_table().assign(fd_infinite=-1.0, fd_infinite_low=-2.0)
    figure = latent_teleport(table, "ddim-20", "known")
    panels = [axes for axes in figure.axes if axes.get_ylabel() == "FD (classifier)"]
    assert panels and all(value == 0.5 for line in panels[0].get_lines() for value in line.get_ydata())
