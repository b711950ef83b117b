"""The table of metrics, numbers as people see them, and CSV files read back by the columns that they are written by."""

import json
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import RECIPE, TARGET, write_reports

from ladder.evaluation.metrics import BY_KEY, METRICS, PRIMARY, headline, shortened
from ladder.evaluation.numbers import chance, interval, number, rounded
from ladder.evaluation.tables import CURVES, ERRORS, HISTORY, evaluation_of, history_csv, history_rows, parse_csv
from ladder.files import dump_csv


def of_seed(accuracy, predictions=(0, 1, 2, 3)):
    """Return what `measure` returns for a run on four images."""
    return SimpleNamespace(
        accuracy=accuracy,
        loss=[0.5] * len(accuracy),
        predictions=np.array(predictions),
        confidences=np.full(4, 0.25),
        train_accuracy=90.0,
    )


def values(*accuracies, target=TARGET, epochs=3):
    """Return the metrics of seeds with these accuracies by epoch."""
    measured = {seed: of_seed(list(accuracy)) for seed, accuracy in enumerate(accuracies)}
    history = [{"seed": seed, "epoch": epochs, "train_accuracy": 80.0 + seed} for seed in measured]
    recipe = RECIPE.model_copy(update={"epochs": epochs})
    evaluation = evaluation_of(recipe, measured, history, np.array([0, 1, 2, 9]), target)
    return {metric.key: metric.of(evaluation) for metric in METRICS}


def test_metrics_by_hand():
    found = values((10, 60, 50), (20, 40, 70))
    assert found["accuracy"] == 60
    assert found["accuracy_sd"] == 14.1421
    assert found["errors"] == 1
    assert found["best_epoch_accuracy"] == 65
    assert found["train_accuracy_running"] == 80.5
    assert found["gap"] == 30
    assert found["holdout_accuracy"] is None


@pytest.mark.parametrize(
    ("accuracies", "reached", "kept"),
    [((10, 60, 50), 2, 2), ((50, 40, 50), 1, 1), ((50, 60, 40), 1, 0), ((10, 20, 30), None, 0), ((50, 50, 50), 1, 3)],
)
def test_epochs_at_the_target_by_hand(accuracies, reached, kept):
    found = values(accuracies, target=50)
    assert (found["reached_epoch"], found["held_epochs"]) == (reached, kept)


def test_exactly_one_metric_judges_a_step():
    assert [metric.key for metric in METRICS if metric.primary] == [PRIMARY.key] == ["accuracy"]


def test_each_metric_is_computed_in_one_way_and_has_a_title():
    assert all(metric.by_seed or metric.value for metric in METRICS)
    assert all(metric.title for metric in METRICS if metric.compared)
    assert len({metric.title for metric in METRICS if metric.compared}) == sum(metric.compared for metric in METRICS)


def test_what_evaluate_writes_passes_its_own_checks(tmp_path):
    write_reports(tmp_path, np.eye(3, 1000, dtype=bool))
    for key, value in json.loads((tmp_path / "metrics.json").read_text()).items():
        BY_KEY[key].check(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("accuracy", 100.01), ("accuracy", -0.01), ("accuracy", None), ("reached_epoch", 0), ("parameters", 0.5)],
)
def test_a_value_that_makes_no_sense_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key} is .*, not a "):
        BY_KEY[key].check(value)


def test_one_line_has_sensible_digits():
    found = {"accuracy": 99.4657, "accuracy_low": 99.4, "accuracy_high": 99.5, "errors": 53.4286}
    read = "99.47 % of 10,000 test images read correctly"
    said = f"net7: {read}, mean of 3 seeds (95 % interval 99.40 to 99.50); 53.4 misread"
    assert headline("net7", 3, found, 10_000) == said
    lone = found | {"accuracy_low": None, "accuracy_high": None, "errors": 53.0}
    assert headline("net7", 1, lone, 10_000) == f"net7: {read}, seed 0 (one seed, so no interval); 53 misread"


@pytest.mark.parametrize("value", [0.025, 0.025 + 1e-12, 0.025 - 1e-12, 99.465 - 99.44])
def test_one_step_is_one_number_whatever_its_binary_error(value):
    assert number(value, 2, "+") == "+0.02"


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0.015, 2, "+0.02"), (-0.025, 2, "-0.02"), (-0.015, 2, "-0.02"), (-0.004, 2, "0.00"), (56.25, 1, "+56.2")],
)
def test_a_half_goes_to_the_even_digit(value, decimals, text):
    assert number(value, decimals, "+") == text


def test_a_number_that_is_none_is_a_dash():
    assert number(None, 2) == interval({"low": None, "high": 1.0}, 2) == "–"
    assert number(7834, 0) == "7834"


def test_an_end_that_would_round_to_zero_shows_its_sign():
    assert interval({"low": -0.001, "high": 0.237}, 2) == "[-0.001, 0.237]"
    assert interval({"low": 0.0, "high": 0.237}, 2) == "[0.00, 0.24]"
    assert [chance(p) for p in (0.0485, 0.04847, 0.0009, None)] == ["0.048", "0.048", "< 0.001", "–"]


@given(st.integers(-(10**9), 10**9))
def test_rounding_is_that_of_exact_decimals(tenthousandths):
    """The oracle is the decimal number itself, without a binary one in between."""
    exact = Decimal(tenthousandths) / 10_000
    assert rounded(tenthousandths / 10_000, 2) == round(exact, 2)


def test_a_long_value_is_cut():
    assert shortened("x" * 100) == "'" + "x" * 39 + "…"
    assert shortened([1] * 100) == "a list"
    assert shortened(10**40) == "a number of more than 40 digits"


def test_csv_files_are_read_back_as_they_were_written(tmp_path):
    write_reports(tmp_path, np.eye(3, 1000, dtype=bool))
    for columns, name in ((CURVES, "curves.csv"), (ERRORS, "errors.csv")):
        text = (tmp_path / name).read_text()
        assert dump_csv(list(columns), parse_csv(columns, text)) == text
    row = {"epoch": 1, "learning_rate": 1e-05, "train_loss": 0.1234567, "train_accuracy": 99.5}
    epochs = {0: [row | {"holdout_loss": None, "holdout_accuracy": None}]}
    assert history_csv(epochs).splitlines()[1] == "0,1,1e-05,0.123457,99.5,,"
    assert parse_csv(HISTORY, history_csv(epochs)) == history_rows(epochs)
