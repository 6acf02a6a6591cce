"""Sheets of figures: written by tools, read by the page, and the same in both."""

from pathlib import Path

import msgspec
import pytest

from genesis.edge.proof_files import FOLDER, folder_beside, markdown, read_sheets, table, write_sheet
from genesis.worlds.report import write_figures, write_hunt
from genesis.worlds.sweep import Caught, Totals
from protocols.proof import ProofFact, ProofSheet, ProofTable
from tools.bench._page import read_results, sheet

ROOT = Path(__file__).parents[3]
SHIPPED = {each.name: each for each in read_sheets(ROOT / FOLDER)}


def a_sheet(name: str) -> ProofSheet:
    rows = table("Some", ("what", "times"), [("one | two", 1)])
    return ProofSheet(
        name=name, title="t", text="x", command="make it", facts=(ProofFact(label="a", value="1"),), tables=(rows,)
    )


def test_what_is_written_is_read_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_sheet(tmp_path, a_sheet(name))
    assert read_sheets(tmp_path) == (a_sheet("a"), a_sheet("b"))
    assert markdown(a_sheet("a").tables[0]) == "| what | times |\n|---|---|\n| one / two | 1 |\n"


def test_a_file_that_is_no_sheet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"name": 1}')
    with pytest.raises(msgspec.DecodeError):
        read_sheets(tmp_path)


def test_a_row_has_as_many_cells_as_the_head() -> None:
    with pytest.raises(ValueError, match="a row must have 2 cells, has 1"):
        ProofTable(title="t", head=("a", "b"), rows=(("1",),))


def test_a_sweep_for_the_docs_is_told_on_the_page_as_well(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    page = tmp_path / "docs" / "reliability.md"
    totals = Totals(seeds=3, faults=12)
    write_figures(page, totals, first_seed=1, hours=0.5, faults_an_hour=45)
    caught = [Caught(mutant="resend-on-timeout", worlds=1, seed=4, rule="M4", clean_looks=1234)]
    write_hunt(page.with_name("mutants.md"), caught, hours=0.5, faults_an_hour=45)
    defects, sweep = read_sheets(tmp_path / FOLDER)
    for made, name in ((sweep, "reliability.md"), (defects, "mutants.md")):
        text = page.with_name(name).read_text()
        assert all(markdown(each) in text for each in made.tables)
    assert [fact.value for fact in sweep.facts if fact.label == "worlds with a violation"] == ["0"]
    assert defects.facts[0].value == "1 of 1"


def test_a_report_outside_of_the_docs_leaves_the_page_alone(tmp_path: Path) -> None:
    assert folder_beside(tmp_path / "docs" / "reliability.md") is None
    assert folder_beside(ROOT / "docs" / "reliability.md") == ROOT / FOLDER


def test_the_figures_that_are_shipped_are_those_of_the_docs() -> None:
    assert set(SHIPPED) == {"conformance", "defects", "orders", "speed", "sweep"}
    conformance = (ROOT / "docs" / "conformance.md").read_text()
    assert all(markdown(shown) in conformance for shown in SHIPPED["conformance"].tables)
    assert SHIPPED["speed"] == sheet(read_results(ROOT / "docs" / "benchmarks.json"))
