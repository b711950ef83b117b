"""The text of report files as checked values. What makes no sense raises ValueError, which names the file."""

import functools
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import yaml

from ladder.evaluation.metrics import BY_KEY, METRICS, MOST, Metric, Tables, misread_counts, shortened
from ladder.evaluation.tables import CURVES, ERRORS, HISTORY, TEST_IMAGES, parse_csv
from ladder.exceptions import LadderError
from ladder.files import parse_yaml

MOST_IMAGES, MOST_MEASURED = 1_000_000, 200_000_000  # test images; seeds times test images: one byte each in memory
MOST_CLASSES, LONGEST_WORD = 1000, 200
NEEDED = ("index", "label")  # columns of test_images.csv
DEEPEST = 20  # mappings and lists inside each other
CLOSE = 1e-3  # percent or images; the files are rounded to 1e-4


def metrics_of(text: str) -> dict:
    """Return metrics.json, its known keys checked by `Metric.check`; any other is a finite number or None."""
    values = json_mapping(text)
    for key, value in values.items():
        BY_KEY.get(key, Metric(shortened(key), "", optional=True, bounds=(-MOST, MOST))).check(value)
    return values


class TestSet(NamedTuple):
    """The test images, as data.json and test_images.csv tell of them; None for what an older version did not write.

    classes: their names. others: what to call images of other groups, such as digits of other people; maker: and one
    group.
    """

    images: int
    classes: tuple[str, ...]
    others: str
    maker: str
    sha256: str | None = None
    kinds: dict[str, str] | None = None  # {number of a kind of people: its name}
    labels: np.ndarray | None = None  # int [images]
    groups: np.ndarray | None = None  # int [images], who made each image
    kind: np.ndarray | None = None  # int [images]


@functools.lru_cache(maxsize=4)
def test_set_of(data: str, listed: str | None) -> TestSet:
    """Return the TestSet of the texts of data.json and, where it is there, test_images.csv."""
    values = in_file("data.json", json_mapping, data)
    count, sha256, kinds = (values.get(key) for key in ("test_images", "test_sha256", "kinds"))
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_IMAGES:
        raise ValueError(f"data.json: test_images is {shortened(count)}, not a whole number from 1 to {MOST_IMAGES:,}")
    if sha256 is not None and not (isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256)):
        raise ValueError(f"data.json: test_sha256 is {shortened(sha256)}, not 64 hexadecimal digits")
    if kinds is not None and not (isinstance(kinds, dict) and all(isinstance(name, str) for name in kinds.values())):
        raise ValueError(f"data.json: kinds is {shortened(kinds)}, not names")
    told = "things" in values  # by a card; MNIST's data.json says nothing of it
    words = {"things": "digits", "groups": "groups" if told else "people"} | values
    things, groups = (in_file("data.json", _word, words, key) for key in ("things", "groups"))
    maker = "group" if told else "writer"
    known = in_file("test_images.csv", _listed, listed, count) if listed else ()
    names = in_file("data.json", _classes, values)
    return TestSet(count, names, f"{things} of other {groups}", maker, sha256, kinds, *known)


def _word(values, key):
    """Return a word that data.json has of a data set's card. Raises ValueError where it is none."""
    word = values[key]
    if not (isinstance(word, str) and word.isprintable() and 0 < len(word) <= LONGEST_WORD):
        raise ValueError(f"{key} is {shortened(word)}, not a word")
    return word


def _classes(values):
    """Return the names of the classes in data.json: MNIST's are its digits, also where it does not list them."""
    listed = values.get("classes", [{}] * 10)
    if not (
        isinstance(listed, list) and 2 <= len(listed) <= MOST_CLASSES and all(isinstance(of, dict) for of in listed)
    ):
        raise ValueError(f"classes is {shortened(listed)}, not a list of 2 to {MOST_CLASSES:,} classes")
    names = [of.get("name", str(label)) for label, of in enumerate(listed)]
    for name in names:
        if not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= LONGEST_WORD):
            raise ValueError(f"a class is called {shortened(name)}, which is no name")
    return tuple(names)


def _listed(text, count):
    """Return the columns label, group and kind of test_images.csv, each as int [count]; the last two may be missing."""
    head = text.partition("\n")[0].split(",")
    columns = {column: read for column, read in TEST_IMAGES.items() if column in head or column in NEEDED}
    rows = parse_csv(columns, text)
    if [row["index"] for row in rows] != list(range(count)):
        raise ValueError(f"it does not list the {count:,} images that data.json counts")
    return tuple(np.array([row[column] for row in rows]) for column in columns if column != "index")


def json_mapping(text: str) -> dict:
    """Return a JSON object without a key that stands there twice, NaN or infinity."""

    try:
        values = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"it is {shortened(values)}, not a mapping")
    return values


def _refuse(word):
    raise ValueError(f"{word} is no finite number")


def _unique(pairs):
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is there twice")
    return values


def yaml_mapping(text: str) -> dict:
    """Return a YAML mapping of bounded depth and without references, with which a short text can say a huge one."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("it refers to other parts of itself by `*`")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError("lists and mappings are nested too deeply")
        values = parse_yaml(text, "not read")
    except (yaml.YAMLError, LadderError) as error:
        raise ValueError(f"not valid YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(values, dict):
        raise ValueError(f"it is {shortened(values)}, not a mapping")
    return values


def tables_of(texts: dict[str, str], test: TestSet) -> Tables:
    """Return the rows of {name of file: text} for curves.csv, errors.csv and, where it is there, history.csv.

    They are checked one by one, and against each other: seeds, epochs, numbers of misread images.
    """
    test_images = test.images
    curves = in_file("curves.csv", _curves, texts["curves.csv"])
    seeds = list(dict.fromkeys(row["seed"] for row in curves))
    if len(seeds) * test_images > MOST_MEASURED:
        raise ValueError(f"curves.csv has {len(seeds)} seeds, too many for {test_images:,} test images")
    errors = in_file("errors.csv", _errors, texts["errors.csv"], set(seeds), test)
    history = in_file("history.csv", _history, texts["history.csv"], seeds) if "history.csv" in texts else []
    return Tables(curves, errors, history, test_images)


def check_together(metrics: dict, by_seed: dict, tables: Tables, epochs: object) -> None:
    """Raise ValueError where files are of different runs. by_seed: {metric: one value a seed}; epochs: the recipe's."""
    counted = [100 - 100 * count / tables.test_images for count in misread_counts(tables)]
    if not np.allclose(by_seed["accuracy"], counted, atol=CLOSE):
        raise ValueError("errors.csv and curves.csv are of different runs")
    for key, values in by_seed.items():
        if metrics.get(key) is not None and abs(metrics[key] - np.mean(values)) > CLOSE:
            raise ValueError(f"metrics.json and the CSV files are of different runs: their {key} differs")
    last = max(row["epoch"] for row in tables.curves)
    if epochs != last:
        raise ValueError(f"curves.csv has {last} epochs, but recipe.yaml {shortened(epochs)}")


def in_file(file: str, read: Callable, *arguments: object) -> Any:
    """Return what `read` returns. A ValueError of it gets the file's name in front."""
    try:
        return read(*arguments)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def by_seed_of(tables: Tables) -> dict[str, list]:
    """Return {metric: one value a seed} for the metrics that the CSV files know."""
    values = {metric.key: metric.by_seed(tables) for metric in METRICS if metric.by_seed}
    return {key: of_seeds for key, of_seeds in values.items() if of_seeds}


def _curves(text):
    rows = parse_csv(CURVES, text)
    _check_epochs(rows)
    _check_percent(rows, "accuracy")
    return rows


def _history(text, seeds):
    rows = parse_csv(HISTORY, text)
    _check_epochs(rows)
    _check_percent(rows, "train_accuracy")
    if list(dict.fromkeys(row["seed"] for row in rows)) != seeds:
        raise ValueError("it has other seeds than curves.csv")
    return rows


def _check_epochs(rows):
    """Raise ValueError unless each seed has the epochs 1, 2, … up to the same last one, each once."""
    pairs = {(row["seed"], row["epoch"]) for row in rows}
    if not pairs:
        raise ValueError("it has no rows")
    seeds, last = len({seed for seed, _ in pairs}), max(epoch for _, epoch in pairs)
    if len(pairs) != len(rows):
        raise ValueError("a seed has the same epoch twice")
    if min(epoch for _, epoch in pairs) < 1 or len(pairs) != seeds * last:
        raise ValueError(f"a seed lacks one of the epochs 1 to {last}")


def _check_percent(rows, column):
    high = max(row[column] for row in rows)
    if high > 100:
        raise ValueError(f"{column} is {high:g}, more than 100 %")


def _errors(text, seeds, test):
    rows, labels, places = parse_csv(ERRORS, text), {}, set()
    for row in rows:
        _check_misread(row, seeds, test)
        place = (row["seed"], row["index"])
        if place in places:
            raise ValueError(f"seed {place[0]} has image {place[1]} twice")
        places.add(place)
        if labels.setdefault(row["index"], row["label"]) != row["label"]:
            raise ValueError(f"image {row['index']} has two labels")
    return rows


def _check_misread(row, seeds, test):
    """Raise ValueError for a row of errors.csv that cannot be."""
    index, label, prediction = row["index"], row["label"], row["prediction"]
    if row["seed"] not in seeds:
        raise ValueError(f"it has a seed {row['seed']} that curves.csv lacks")
    if index >= test.images:
        raise ValueError(f"it has an image {index}, but there are {test.images:,}, counted from 0")
    if max(label, prediction) >= (classes := len(test.classes)):
        raise ValueError(f"image {index}: there is no class {max(label, prediction)}; they are 0 to {classes - 1}")
    if label == prediction:
        raise ValueError(f"image {index} is not misread: label and prediction are both {label}")
    if row["confidence"] > 1:
        raise ValueError(f"image {index}: its confidence {row['confidence']:g} is more than 1")
