"""The example notebooks run from top to bottom, offline and without a key."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))


def test_there_are_examples() -> None:
    assert EXAMPLES


def run(path: Path, folder: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "examples are kept without outputs"
    return NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(folder)}}).execute()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    """All of them at once: they mostly wait for the model to write."""
    with ThreadPoolExecutor(len(EXAMPLES)) as threads:
        yield {path.stem: threads.submit(run, path, tmp_path_factory.mktemp(path.stem)) for path in EXAMPLES}


@pytest.mark.filterwarnings("default")  # Jupyter's own
@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES])
def test_an_example_runs_and_shows_its_cards(name: str, examples: dict[str, Future[Any]]) -> None:
    outputs = [o for cell in examples[name].result().cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in outputs)


@pytest.mark.filterwarnings("default")
def test_a_wrong_cell_says_one_line_and_shows_no_card(examples: dict[str, Future[Any]]) -> None:
    cells = examples["04_magics_and_prompts"].result().cells
    wrong = [cell for cell in cells if "raises-exception" in cell.metadata.get("tags", ())]
    assert len(wrong) == 2
    for cell in wrong:
        assert [(o["output_type"], o["name"]) for o in cell.outputs] == [("stream", "stderr")]
        assert cell.outputs[0]["text"].startswith("UsageError: %%gem")
        assert cell.outputs[0]["text"].count("\n") == 1
