"""
The sections of a report, one module for each question.

A section is a frozen `msgspec.Struct` that fits `atom_testinfra.reports.data.Section`:

- `id` and `title`, both class variables: the anchor on the page, and the question that the section answers;
- `summary`: the answer in one or two sentences, in which text between backticks is code;
- `notes`: further sentences, shown as a list; empty where there are none;
- `tables()`: the rows behind the answer, as `Table`s of raw values, each with an `id` of its own.

That is all that the terminal, Markdown and JSON need, and the page shows the tables, too. To add a section:

1. Write `sections/NAME.py` with the structure and a function `build_NAME(...)` that computes it.
2. Give `ReportData` a field for it, `None` where it was not asked for, and name it in `ReportData.sections`.
3. For more than tables on the page, write `templates/sections/ID.html`. It gets `section` and the whole
   `report`. The macros in `macros.html` write tables (`table`), plots with their table (`figure`), bars
   (`bar`, `split`) and lines (`lines`); `atom_testinfra.reports.charts` computes what they draw. Nothing on
   the page may come from a network, and no colour may be the only sign of anything.
"""
