"""Tabulate the sweep of jumps in latent space: all rows as CSV, a page by guidance and prompts, and what jumps save."""

import json
from pathlib import Path

import pandas as pd

from underpainting.io.writing import write_text
from underpainting_workflow import tables
from underpainting_workflow.claims import latent_teleport
from underpainting_workflow.claims.claim import Claim
from underpainting_workflow.runner import run

NOTE = (
    "Every row has the same prompts and the same noise. Agreement: fraction of the images that, by the study's classifier, "
    "agree with all that the prompt says. FD: Frechet distance from real images of the same prompts in the features of that "
    "classifier and in those of an autoencoder, which knows no labels, extrapolated to infinitely many images; floor: that of "
    "real images. RMSE: from the network's own solution under the same guidance, in units of the latents. Below each value its "
    "95 % interval, over prompts and seeds. NFE: network calls, two for a guided estimate. In brackets: the change against the "
    "plain run with as many steps left, and so with as many calls, in points or per cent."
)
MEASURES = {
    "agreement_all": ("Agreement", "agreement_loss", -100, "{:.3f}", "{:+.1f}"),
    "fd_infinite": ("FD (classifier)", "loss", 100, "{:.2f}", "{:+.0f} %"),
    "autoencoder_fd_infinite": ("FD (autoencoder)", "autoencoder_loss", 100, "{:.3f}", "{:+.0f} %"),
    "rmse_to_network": ("RMSE", "network_loss", 100, "{:.3f}", "{:+.0f} %"),
}
SAVED_NOTE = (
    "The fraction of the steps that a jump replaces such that neither it nor any shorter one loses more than two points of "
    "agreement, or more than 5 % of either Frechet distance. The ends of the interval are those by the ends of the losses' "
    "intervals. The null model jumps with the Gaussian of all latents, which does not know the prompt."
)


def cell(row: pd.Series, measure: str) -> str:
    """Format a value with its change against the plain run of equal calls, and its interval."""
    _, loss, factor, form, change = MEASURES[measure]
    if pd.isna(row.get(measure)):
        return ""
    plain = row["kind"] == "plain" or pd.isna(row.get(loss))
    bracket = "" if plain else f" ({change.format(factor * row[loss])})"
    low, high = (form.format(row[f"{measure}_{end}"]) for end in ("low", "high"))
    return f"{form.format(row[measure])}{bracket}\n{low} to {high}"


def part(rows: pd.DataFrame) -> tables.Part:
    """Make the table of one guidance and group of prompts."""
    lines = [
        {
            "Way": latent_teleport.describe((row["sampler"], row["kind"], row["gaussian"])),
            "Skipped": f"{row['skipped_steps']} of {row['steps']}",
            "NFE": row["nfe"],
            **{heading: cell(row, measure) for measure, (heading, *_) in MEASURES.items()},
        }
        for _, row in rows.iterrows()
    ]
    first = rows.iloc[0]
    floors = f"{first['floor_infinite']:.2f} and {first['autoencoder_floor_infinite']:.3f}"
    note = f"{first['n']} images; floors of the two Frechet distances: {floors}."
    return tables.Part(f"Guidance {first['guidance']:g}, {first['group']} prompts", note, pd.DataFrame(lines), {})


def saved(claims: pd.DataFrame) -> str:
    """Make the page of what jumps save."""
    columns = {"claim": "Claim", "estimate": "Measured", "low": "Low", "high": "High", "null": "Null model", "n": "n"}
    shown = claims[[*columns, "reproduced"]].rename(columns={**columns, "reproduced": "Holds"})
    formats = dict.fromkeys(("Measured", "Low", "High", "Null model"), "{:.0%}")
    return tables.page(shown, "Steps that jumps save in latent space", SAVED_NOTE, formats)


def main(inputs: list[str], csv: str, html: str, claims: str, claims_csv: str) -> None:
    """Read the rows of every scale, write table and pages."""
    table = pd.DataFrame([row for file in inputs for row in json.loads(Path(file).read_text("utf-8"))])
    write_text(tables.csv(table), csv)
    parts = [part(rows) for _, rows in table.groupby(["guidance", "group"], sort=False)]
    write_text(tables.pages(parts, "Teleportation in latent space", NOTE), html)
    saving = pd.DataFrame(latent_teleport.claims(table), columns=Claim._fields)
    write_text(tables.csv(saving), claims_csv)
    write_text(saved(saving), claims)


if __name__ == "__main__":
    run(main)
