# Every figure of `underpainting_workflow.figures` and `text_figures`, as PNG for the report and PDF for print: a rule per row.
for figure in (*figures.FIGURES, *text_figures.FIGURES):
    with refusing(OSError):
        caption = figures.write_caption(figure, SNAKEMAKE / "captions").absolute()

    rule:
        name:
            figure.rule
        input:
            **inputs_of(figure),
        output:
            report(
                f"results/{{study}}/figures/{figure.file}.png",
                caption=str(caption),
                category="{study}",
                subcategory=figure.category,
                labels={"figure": figure.label},
            ),
            f"results/{{study}}/figures/{figure.file}.pdf",
        log:
            f"logs/{{study}}/figures/{figure.file}.log",
        wildcard_constraints:
            study=(
                text_studies_with if figure in text_figures.FIGURES else studies_with
            )(figure.condition),
        group:
            "figures"
        resources:
            **(
                text_needs(figure.rule)
                if figure in text_figures.FIGURES
                else needs(figure.rule, holds=figure.holds)
            ),
            # for captions; what it depends on is a parameter of the images
            reading=of_study(figures.reading),
        params:
            code=code_of(f"draw_figure:drawing.{figure.draw}"),
            packages=packages_of(f"draw_figure:drawing.{figure.draw}"),
            config=of_study(figure.settings),
        script:
            "../scripts/draw_figure.py"
