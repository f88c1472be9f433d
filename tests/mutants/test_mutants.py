"""The list of mutants fits the code as it is now."""

import ast
import tomllib
from pathlib import Path

import pytest

from lab.mutants.__main__ import ROOT, Mutant

pytestmark = pytest.mark.once

MUTANTS = [Mutant(**each) for each in tomllib.loads((ROOT / "lab/mutants/mutants.toml").read_text())["mutant"]]


def test_each_changes_one_place_of_the_code_and_leaves_it_python():
    assert [mutant.id for mutant in MUTANTS if not mutant.applies] == []
    for mutant in MUTANTS:
        ast.parse((ROOT / mutant.file).read_text().replace(mutant.old, mutant.new), mutant.id)


def test_each_has_a_name_of_its_own_and_tests_that_are_there():
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS)
    paths = {path.partition("::")[0] for mutant in MUTANTS for path in mutant.tests}
    assert [path for path in paths if not Path(ROOT, path).is_file()] == []
    assert all(mutant.tests for mutant in MUTANTS)


def test_what_survives_has_a_reason_and_nothing_else_has():
    assert [mutant.id for mutant in MUTANTS if mutant.survives != bool(mutant.reason)] == []
