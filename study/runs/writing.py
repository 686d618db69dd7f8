"""Tables as files: CSV, whole or not at all."""

from pathlib import Path

import pandas as pd

from anomalylib.files import written_whole


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table; nine digits keep every float32 apart."""
    with written_whole(path) as beside:
        table.to_csv(beside, index=False, float_format="%.9g", lineterminator="\n")


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, pd.DataFrame]:
    """Write each table as ``<name>.csv``, and give them back."""
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv")
    return tables
