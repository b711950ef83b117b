"""The page in a real browser, from a file: what it says is what the reports and the native kernels say.

It is built from a ladder of two rungs that were trained on a few real digits, and measured by the stage `climb`.
"""

import base64
import csv
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from browser import chromium, started
from clear_digits import is_clear
from conftest import made_once
from PIL import Image
from projects import REPOSITORY, TEST_IMAGES, assert_one_clear_line, run_module

from commands.page import replace_site
from ladder import cards
from ladder.data import packages
from ladder.data.tensors import read_tensors, write_tensors
from ladder.evaluation.numbers import interval, number
from ladder.exceptions import LadderError
from ladder.files import read_yaml, write_bytes
from ladder.models.prepare import prepare
from ladder.runs import store
from ladder.site import charts, data_sets, networks
from ladder.site.charts import Script, chart_scripts
from ladder.site.folder import as_script

pytestmark = pytest.mark.slow
SEEDS = {"quick": 2, "longer": 1}
WIDTHS = (360, 768, 1280)
RECORDS = """
parameters:
  - {below: 700, holders: []}
  - {below: 100000, holders: [{rung: quick, since: 2026-01-02, by: Ada}]}
seconds: {target: 99.4, holders: []}
"""


@pytest.fixture(scope="session")
def npm():
    """Skips where the page cannot be built."""
    if not shutil.which("npm"):
        pytest.skip("the page: npm is not installed")


@pytest.fixture(scope="session")
def project(npm, trained, tmp_path_factory, worker_id):
    """Return a project whose two rungs are trained and measured, with its page built."""

    def build(folder):
        shutil.copytree(trained[0], folder)
        labels = read_tensors(folder / "data/sets/mnist/processed/test.safetensors")["labels"]
        counts = np.bincount(labels, minlength=10)
        classes = [{"digit": digit, "train": 200, "test": int(count)} for digit, count in enumerate(counts)]
        about = {"classes": classes, "test_images": TEST_IMAGES, "kinds": {"0": "employees", "4": "students"}}
        (folder / "reports/data.json").write_text(json.dumps(about))
        rows = "".join(f"{index},{label},{2000 + index // 3},4\n" for index, label in enumerate(labels.tolist()))
        (folder / "reports/test_images.csv").write_text(f"index,label,group,kind\n{rows}")
        write_bytes(folder / "docs/records.yaml", RECORDS.encode())
        for rung, seeds in SEEDS.items():
            done = run_module("stages.climb", folder, rung, "--seeds", str(seeds), DIGIT_LADDER_WORKERS="1")
            assert done.returncode == 0, done.stderr
        done = run_module("commands.page", folder)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, worker_id, "page", build)


@pytest.fixture(scope="session")
def committed_site(npm, tmp_path_factory, worker_id):
    """Return the folder of the committed ladder's page, without pictures and with the published networks alone."""

    def build(folder):
        for name in ("reports", "rungs", "docs", "benchmarks", "datasets", "models"):
            if (REPOSITORY / name).is_dir():
                shutil.copytree(REPOSITORY / name, folder / name)
        shutil.copy(REPOSITORY / "params.yaml", folder)
        done = run_module("commands.page", folder)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, worker_id, "committed", build) / "site"


@pytest.fixture(scope="session")
def browser():
    with started() as browser:
        yield browser


@pytest.fixture
def opened(browser, project):
    """Return a function that opens a view of the page. No view may report an error, or ask for more than files."""
    contexts, faults = [], []

    def open_view(view="", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(("file:", "data:", "blob:")) else faults.append(asked.url),
        )
        page.goto(f"file://{project}/site/index.html{view and f'#/mnist/{view}'}")
        page.wait_for_selector("h1")
        return page

    yield open_view
    for context in contexts:
        context.close()
    assert faults == []


def committed(project, rung, file, seed=None):
    """Return the rows of a rung's report."""
    with (project / f"reports/rungs/{rung}/{file}").open() as report:
        return [row for row in csv.DictReader(report) if seed is None or int(row["seed"]) == seed]


def reached(project, rung):
    """Return the accuracy of each seed's last epoch."""
    last = {row["seed"]: float(row["accuracy"]) for row in committed(project, rung, "curves.csv")}
    return list(last.values())


def charts_drawn(page, number):
    page.wait_for_function(f"document.querySelectorAll('.chart svg').length === {number}")


# --- results ----------------------------------------------------------------------------------------------------


def test_the_table_has_the_reports_numbers_and_sorts_by_any_column(opened, project):
    page = opened()
    means = {rung: np.mean(reached(project, rung)) for rung in SEEDS}
    head = page.locator(".sorted thead th")
    cells = "[...document.querySelectorAll('.sorted tbody tr')].map((row) => [...row.cells].map((td) => td.innerText))"
    column = head.all_inner_texts().index("accuracy, %")
    shown = {row[0].split()[0]: row[column].split("\n")[0] for row in page.evaluate(cells)}
    assert shown == {rung: f"{mean:.2f}" for rung, mean in means.items()}

    falling = sorted(means, key=means.get, reverse=True)
    for expected, told in ((falling, "descending"), (falling[::-1], "ascending")):
        head.nth(column).get_by_role("button").press("Enter")
        assert [row[0].split()[0] for row in page.evaluate(cells)] == expected
        assert head.nth(column).get_attribute("aria-sort") == told
    assert page.locator(".sorted [aria-sort]").count() == 1


@pytest.mark.parametrize("data", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("width", [320, 360, 768, 800, 1024, 1280, 1920])
def test_the_table_of_the_committed_ladder_fits_its_screen(browser, committed_site, data, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"file://{committed_site}/index.html#/{data}")
    region = page.get_by_role("region", name="All rungs")
    needed, there = region.evaluate("(region) => [region.scrollWidth, region.clientWidth]")
    assert needed <= there
    heads = page.locator(".sorted thead th:visible").all_inner_texts()
    assert {"rung", "accuracy, %", "verdict"} <= set(heads)
    if page.get_by_label("All columns").is_visible():  # what is too wide then scrolls in its own box
        page.get_by_label("All columns").check()
        assert page.locator(".sorted thead th:visible").count() > len(heads)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".sorted thead th:not(:visible)").count() == 0
    page.close()


def test_the_page_rounds_as_the_reports_do(opened):
    page, random = opened(), np.random.default_rng(0)
    values = [0.025, 0.0249, 0.035, 99.445, 99.455, 99.56549, -0.004, 0.0, 1e-12, *random.normal(0, 0.1, 200).round(3)]
    assert page.evaluate("(values) => values.map((value) => number(value, 2, '+').replace('−', '-'))", values) == [
        number(value, 2, "+") for value in values
    ]
    ends = [{"low": low, "high": high} for low, high in pairwise(sorted(values))]
    assert page.evaluate("(all) => all.map(({low, high}) => interval(low, high).replaceAll('−', '-'))", ends) == [
        interval(of, 2) for of in ends
    ]
    assert page.evaluate("[0.0485, 0.04847, 0.0004].map(chance)") == ["0.048", "0.048", "< 0.001"]


def test_the_chart_has_a_mark_for_every_seed_and_leads_to_a_rung(opened):
    page = opened()
    charts_drawn(page, 1)
    marks = page.locator(".chart g.mark-symbol.role-mark")
    assert sorted(of.locator("path").count() for of in marks.all()) == [0, len(SEEDS), sum(SEEDS.values())]
    page.get_by_label("From left to right").select_option("parameters")
    charts_drawn(page, 1)
    marks.last.locator("path").first.click()
    page.wait_for_url(re.compile("#/mnist/rung/(quick|longer)$"))
    page.wait_for_function("document.activeElement.tagName === 'H1'")  # so that a screen reader goes on there


ROWS = [  # rung, parameters, accuracy
    ("low", 61_706, 97.5),
    ("lower", 61_706, 95.2),
    ("alone", 700, 98.1),
    ("high", 7_706, 99.5),
]


def test_what_the_charts_range_leaves_out_has_marks_at_its_edge_and_a_sentence(opened):
    """Three rungs are below 98.2 %; two of them have as many parameters. One seed of the fourth is below."""
    page = opened()
    rows = [
        {"rung": rung, "parameters": parameters, "accuracy": accuracy, "accuracies": [accuracy + 0.4, accuracy - 1.4]}
        for rung, parameters, accuracy in ROWS
    ]
    marks = "(rows) => belowMarks(rows, by, 98.2).map((mark) => [mark.rung, mark.label])"
    by_rung = page.evaluate(marks.replace("by,", "'rung',"), rows)
    assert by_rung == [["low", "← 97.50"], ["lower", "← 95.20"], ["alone", "← 98.10"]]
    by_parameters = page.evaluate(marks.replace("by,", "'parameters',"), rows)
    assert by_parameters == [[None, "← 2 rungs"], ["alone", "← 98.10"]]
    said = page.evaluate("(rows) => belowNote(rows, 'mnist', 98.2).textContent", rows)
    assert said.endswith(": low 97.50, lower 95.20, alone 98.10; and 1 single seed of other rungs.")
    assert page.evaluate("(rows) => belowNote(rows, 'mnist', 90)", rows) == ""


def test_the_records_stand_on_the_page_with_the_reports_numbers(opened, project):
    page = opened()
    rows = page.get_by_role("region", name="Records").locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in rows] == [
        ["fewer than 700 parameters", "nobody yet"],
        ["fewer than 100,000 parameters", "quick, Ada"],
        ["seconds to 99.4 %", "nobody yet"],
    ]
    assert f"{np.mean(reached(project, 'quick')):.2f} (2)" in rows[1]
    page.get_by_role("region", name="Records").get_by_role("link", name="quick").click()
    page.wait_for_url(re.compile("#/mnist/rung/quick$"))


def test_a_rungs_page_says_what_it_says_in_words(opened):
    """The card has its own spelling; nothing else has a key or a word with an underscore but the names of rungs."""
    page = opened("rung/quick")
    text = re.sub(r"session7_\w+", "", page.inner_text("main"))
    assert "learning rate" in text
    assert not re.findall(r"\w+_\w+", text)


def test_a_rungs_page_shows_its_network_its_curves_and_who_wrote_what_it_misread(opened, project):
    page = opened("rung/quick")
    charts_drawn(page, 2)
    misread = Counter(int(row["index"]) for row in committed(project, "quick", "errors.csv"))
    assert f"{len(misread)} images were misread by one seed or more" in page.inner_text("main")
    pictures = page.locator(".digits li")
    seeds = max(misread.values())
    first = pictures.first.inner_text()
    assert f"by {seeds} of 2 seeds" in first
    number = int(re.search(r"image (\d+)", first)[1])
    assert misread[number] == seeds
    assert f"writer {2000 + number // 3}, students" in first
    digit = read_tensors(project / "data/sets/mnist/processed/test.safetensors")["images"][number, 0].numpy()
    np.testing.assert_array_equal(pixels_of(page, ".digits canvas"), digit)

    table = cards.layer_table(cards.resolve("quick", cards=project / cards.CARDS))
    page.get_by_text(f"All {len(table)} layers as a table").click()
    rows = page.get_by_role("region", name="Network layer by layer").locator("tbody tr").all_inner_texts()
    assert max(row.receptive_field for row in table) > 28  # of which there is nothing more to see
    assert [int(row.split("\t")[3]) for row in rows] == [min(row.receptive_field, 28) for row in table]


# operations whose output is another map than their input
NEW_MAP = ("conv", "linear", "max_pool", "avg_pool", "global_avg_pool", "flatten")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_rungs_network_is_drawn_block_by_block(opened, project, width):
    """The oracle is the table of its layers: a block is as high as its map, a square as large as what is seen."""
    page = opened("rung/quick", viewport={"width": width, "height": 800})
    table = cards.layer_table(cards.resolve("quick", cards=project / cards.CARDS))
    drawn = [row for row in table if row.layer.name in NEW_MAP]
    blocks = page.locator(".network li")
    texts = blocks.all_inner_texts()
    assert "1×28×28" in texts[0]
    for row, text in zip(drawn, texts[1:], strict=True):
        assert text.startswith(f"{row.number} {row.layer.name.replace('_', ' ')}")
        assert "×".join(map(str, row.shape)) in text
        assert ("sees all" if row.receptive_field >= 28 else f"sees {row.receptive_field}×") in text
    for row in table:
        assert row.layer.name.replace("_", " ") in " ".join(texts)

    def sides(kind):
        return [rect.evaluate("(rect) => rect.getBBox().height") for rect in blocks.locator(f"rect{kind}").all()]

    image, *heights = sides(":not([class])")
    for row, height in zip(drawn, heights, strict=True):
        side = row.shape[1] if len(row.shape) == 3 else 1
        assert height == pytest.approx(max(image * side / 28, 4))
    for row, whole, seen in zip(drawn, sides(".whole"), sides(".part"), strict=True):
        assert seen / whole == pytest.approx(min(row.receptive_field / 28, 1))
    for block in blocks.all():
        box = block.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_two_networks_are_drawn_side_by_side_where_they_differ(browser, committed_site, opened):
    page = browser.new_page()
    page.goto(f"file://{committed_site}/index.html#/mnist/compare/s7_final/champion")
    page.locator(".network").nth(1).wait_for()
    for rung, pictured in zip(("s7_final", "champion"), page.locator(".network").all(), strict=True):
        table = cards.layer_table(cards.resolve(rung))
        assert pictured.locator("li").count() == 1 + sum(row.layer.name in NEW_MAP for row in table)
    page.close()
    assert opened("compare/quick/longer").locator(".network").count() == 0  # theirs are the same


def test_two_rungs_side_by_side_say_what_compare_says(opened, project):
    done = run_module("commands.compare", project, "quick", "longer", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)["comparisons"][0]
    page = opened("compare/quick/longer")
    text = page.inner_text("main")
    assert (
        page.inner_text("#verdict").replace("−", "-").startswith(f"{facts['verdict']}: {facts['change']:+.2f} points")
    )
    assert f"Images fixed: {len(facts['images']['fixed'])}" in text
    assert f"Images broken: {len(facts['images']['broken'])}" in text
    page.get_by_role("button", name="Swap").click()
    page.wait_for_url(re.compile("compare/longer/quick$"))
    page.wait_for_function("document.querySelector('h1').textContent === 'longer → quick'")
    swapped = {"better": "worse", "worse": "better"}.get(facts["verdict"], facts["verdict"])
    assert page.inner_text("#verdict").replace("−", "-").startswith(f"{swapped}: {-facts['change']:+.2f} points")
    assert f"Images fixed: {len(facts['images']['broken'])}" in page.inner_text("main")


def test_two_rungs_side_by_side_say_whose_seeds_collapsed_as_compare_does(browser, committed_site):
    done = run_module("commands.compare", REPOSITORY, "session7_net1", "session7_net2", "--json")
    assert done.returncode == 0, done.stderr
    lost = json.loads(done.stdout)["comparisons"][0]["collapsed"]
    seeds = {of: {one["seed"] for one in lost if one["of"] == of} for of in ("session7_net1", "session7_net2")}
    assert seeds["session7_net2"]  # a rung of the committed ladder that loses classes
    page = browser.new_page()
    page.goto(f"file://{committed_site}/index.html#/mnist/compare/session7_net1/session7_net2")
    page.locator("#verdict").wait_for()
    said = [note.split(" of ")[0] for note in page.locator("p.note").all_inner_texts() if "collapsed" in note]
    assert said == [f"{of}: {len(which)}" for of, which in seeds.items() if which]
    page.close()


# --- networks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", SEEDS)
def test_all_test_images_are_misread_in_the_page_as_in_the_reports(opened, project, rung):
    """The oracle is errors.csv, which the native kernels wrote: index, label, reading and confidence."""
    page = opened("draw")
    page.get_by_label("Network", exact=False).and_(page.locator("select")).select_option(rung)
    page.get_by_role("button", name=f"Read all {TEST_IMAGES} test images").click()
    page.wait_for_function("document.getElementById('check').textContent.includes('misread, in')")
    expected = committed(project, rung, "errors.csv", seed=0)
    said = page.inner_text("#check")
    assert f"{TEST_IMAGES - len(expected)} of {TEST_IMAGES} read correctly" in said
    assert f"All {len(expected)} lines are those of errors.csv" in said
    lines = page.evaluate(
        f"kept('mnist', '{rung}').then(async (n) => misreadLines(n, await testImages('mnist'), () => 0))"
    )
    assert lines == [",".join(list(row.values())[1:]) for row in expected]


def test_a_difference_from_the_reports_is_told(opened):
    said = opened("draw").evaluate(
        "checked({ rung: 'a', seed: 0, expected: ['1,2,3,0.5', '4,5,6,0.5'] }, ['1,2,3,0.5', '4,5,6,0.6'], 10, 1)"
    )
    assert "2 lines differ" in said


def pixels_of(page, canvas):
    """Return the grey pixels of a canvas of 28 x 28."""
    script = f"[...document.querySelector('{canvas}').getContext('2d').getImageData(0, 0, 28, 28).data]"
    return np.array(page.evaluate(script)).reshape(28, 28, 4)[..., 0]


@pytest.mark.parametrize("dark_on_light", [True, False])
def test_a_picture_of_a_test_image_becomes_that_image_again(opened, project, tmp_path, dark_on_light):
    """The oracle is MNIST, ten times as large, which is prepared back to what it was."""
    images = read_tensors(project / "data/sets/mnist/processed/test.safetensors")["images"][:40, 0].numpy()
    page = opened("draw")
    for place, image in enumerate(images):
        large = image.repeat(10, 0).repeat(10, 1)
        Image.fromarray(255 - large if dark_on_light else large).save(tmp_path / f"{place}.png")
        page.evaluate("document.querySelector('#said span').textContent = 'waiting'")
        page.locator("input[type=file]").set_input_files(tmp_path / f"{place}.png")
        page.wait_for_function("document.querySelector('#said').textContent.includes('reads')")
        if is_clear(image):
            assert np.abs(pixels_of(page, ".seen") - image).max() <= 1


def test_a_drawing_is_prepared_as_predict_prepares_it(opened):
    """The oracle is ladder.models.prepare, on the pixels of the pad; its sums run in another order."""
    page = opened("draw")
    box = page.locator("#pad").bounding_box()
    rng = np.random.default_rng(0)
    for _ in range(10):
        page.get_by_role("button", name="Clear").click()
        by_mouse(page, [(box["x"] + x, box["y"] + y) for x, y in rng.uniform(15, 265, (4, 2))])
        page.wait_for_selector(".answer")
        drawn = "document.getElementById('pad').getContext('2d').getImageData(0, 0, 280, 280).data"
        pixels = np.array(page.evaluate(f"[...{drawn}]"), dtype=np.uint8).reshape(280, 280, 4)
        assert np.abs(pixels_of(page, ".seen") - prepare(pixels).image.astype(int)).max() <= 1


ONE = [(150, 50), (140, 130), (132, 230)]
SEVEN = [(80, 60), (200, 60), (160, 150), (130, 235)]


@pytest.mark.parametrize(("strokes", "digit"), [(ONE, 1), (SEVEN, 7)])
@pytest.mark.parametrize("by", ["mouse", "finger"])
def test_a_drawn_digit_is_read(opened, strokes, digit, by):
    page = opened("draw", viewport={"width": 360, "height": 740}, has_touch=by == "finger")
    box = page.locator("#pad").bounding_box()
    points = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in strokes]
    {"mouse": by_mouse, "finger": by_finger}[by](page, points)
    page.wait_for_selector(".answer")
    assert page.locator("[data-rung=longer] .read").inner_text() == str(digit)
    assert f"longer reads {digit}" in page.inner_text("[role=status]")
    percents = [
        float(text.split()[0]) for text in page.locator("[data-rung=longer] dd").all_inner_texts() if text.strip()
    ]
    assert len(percents) == 10
    assert sum(percents) == pytest.approx(100, abs=0.5)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("!document.querySelector('.answer')")


def by_mouse(page, points):
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def by_finger(page, points):
    session = page.context.new_cdp_session(page)

    def touch(kind, *at):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in at]})

    touch("touchStart", points[0])
    for (x, y), (to_x, to_y) in pairwise(points):
        for step in range(1, 9):
            touch("touchMove", (x + (to_x - x) * step / 8, y + (to_y - y) * step / 8))
    touch("touchEnd")


def test_another_data_set_can_be_chosen(browser, project, tmp_path):
    """The page of one data set, with a second one put beside it under another name."""
    site = shutil.copytree(project / "site", tmp_path / "site")
    for path in sorted((site / "data/mnist").rglob("*.js")):
        name = path.relative_to(site / "data/mnist").with_suffix("").as_posix()
        text = re.search('", "(.+)"', path.read_text())[1]
        content = json.loads(gzip.decompress(base64.b64decode(text)))
        if name == "ladder":
            content |= {"name": "clothes", "title": "Clothes", "classes": [f"class {label}" for label in range(10)]}
        write_bytes(site / f"data/clothes/{name}.js", as_script(f"clothes/{name}", content))
    titles = {"mnist": "MNIST", "clothes": "Clothes"}
    sets = [{"name": name, "title": title, "drawable": True} for name, title in titles.items()]
    (site / "data/sets.js").write_bytes(as_script("sets", sets))
    page = browser.new_page()
    page.goto(f"file://{site}/index.html")
    page.get_by_label("Data").select_option("Clothes")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Clothes')")
    page.get_by_role("link", name="quick", exact=True).last.click()
    page.wait_for_selector(".digits li")
    assert "/clothes/rung/quick" in page.url
    assert re.match(r"class \d read as class \d", page.locator(".digits li").first.inner_text())
    page.get_by_role("link", name="Draw a digit").click()
    page.get_by_role("button", name="Take a test image").click()
    page.wait_for_selector(".answer")
    assert re.match(r"class \d$", page.locator(".read").first.inner_text())
    page.close()


def test_what_is_no_digit_is_called_by_its_name_and_not_drawn(browser, committed_site):
    """The committed page has Fashion-MNIST, of which nobody knows who made which image; and it has no pictures."""
    page = browser.new_page()
    page.goto(f"file://{committed_site}/index.html#/fashion_mnist/rung/tiny")
    page.wait_for_selector("h2:text('Misread articles of clothing')")
    for view in ("rung/tiny", "compare/s7_final/tiny"):
        page.goto(f"file://{committed_site}/index.html#/fashion_mnist/{view}")
        page.get_by_text("for new seeds and other test images").wait_for()
        assert not re.search("writer|digit", page.inner_text("main"))
    page.goto(f"file://{committed_site}/index.html#/fashion_mnist/rung/s7_reduced")
    page.get_by_text("from s7_basic, which was not trained on Fashion-MNIST").wait_for()
    page.goto(f"file://{committed_site}/index.html#/fashion_mnist/draw")
    page.get_by_role("link", name="Draw a digit for those of MNIST").click()
    page.wait_for_selector("#pad")
    page.close()


def test_the_chart_of_all_accuracies_ends_just_above_the_highest(browser, committed_site):
    """So the seeds of Fashion-MNIST, which are between 77 and 92 %, take most of the chart's height."""
    page = browser.new_page()
    page.goto(f"file://{committed_site}/index.html#/fashion_mnist")
    page.wait_for_selector(".chart svg")
    frame = page.locator(".chart g.mark-group.role-frame > g > path.background").first.bounding_box()
    seeds = [one.bounding_box() for one in page.locator(".chart g.mark-symbol.role-mark").first.locator("path").all()]
    middles = [(box["y"] + box["height"] / 2 - frame["y"]) / frame["height"] for box in seeds]
    assert 0 <= min(middles) < 0.3
    assert 0.7 < max(middles) <= 1
    page.close()


def test_pictures_that_are_missing_are_told_with_what_brings_them(project, tmp_path):
    folder = shutil.copytree(project, tmp_path / "without")
    shutil.rmtree(folder / "data/sets/mnist/processed")
    done = run_module("commands.page", folder)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if "no pictures" in line]
    assert len(told) == 1
    stage = re.search("`dvc repro rungs/dvc.yaml:(.+)@(.+?)`", told[0])
    stages = read_yaml(REPOSITORY / "rungs/dvc.yaml")["stages"]
    assert "data/sets/${key}/processed" in stages[stage[1]]["do"]["outs"]
    assert stage[2] == "mnist"


# --- for everyone -----------------------------------------------------------------------------------------------

VIEWS = {"": 1, "rung/quick": 2, "compare/quick/longer": 2, "draw": 0}  # {view: its charts}


@pytest.fixture
def pictures(tmp_path):
    """Return the folder that takes a screenshot of each view, for people to look at."""
    folder = Path(os.environ.get("DIGIT_LADDER_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_view_has_a_fault_that_axe_finds_at_any_width(opened, pictures, view, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe on the page: not installed").Axe()
    for width in WIDTHS:
        page = opened(view, color_scheme=scheme, viewport={"width": width, "height": 800})
        charts_drawn(page, VIEWS[view])
        name = view.replace("/", "-") or "ladder"
        page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
        found = axe.run(page, options={"preload": False}).response["violations"]  # it would fetch files
        assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("view", [view for view, charts in VIEWS.items() if charts])
def test_a_screen_reader_hears_what_each_chart_shows(opened, view):
    """The oracle is the browser's own tree of what it hands to a screen reader."""
    page = opened(view)
    charts_drawn(page, VIEWS[view])
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    heard = [(node["role"]["value"], node["name"]["value"]) for node in tree if not node["ignored"] and "name" in node]
    images = [name for role, name in heard if role == "image" and name.startswith("Test ")]
    assert len(images) == VIEWS[view]
    assert all(re.match("Test (accuracy|loss) (of|by) ", name) for name in images)
    assert "Vega" not in str(heard)


def test_the_whole_page_is_reached_by_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('main').contains(document.activeElement)")


NOWHERE = ["mnist/rung/..%2F..%2Felsewhere", "%", "mnist/rung/%E0", "mnist/rung/net99", "mnist/compare/quick/net99"]
NOWHERE += ["letters", "letters/rung/quick", "mnist/constructor", "mnist/rung"]


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_leads_nowhere_is_told(opened, address):
    """`opened` holds the console to be empty."""
    page = opened()
    page.evaluate("(address) => { location.hash = `#/${address}`; }", address)
    page.get_by_text("This address leads nowhere").wait_for()
    page.get_by_role("link", name="Ladder", exact=True).click()
    page.get_by_role("heading", name="MNIST: 2 rungs").wait_for()


def test_a_select_that_changes_the_view_keeps_the_focus(opened):
    """Arrow keys go on from one rung to the next; a link leads to the title of what it opens."""
    page = opened("compare/quick/longer")
    for label, key, pair in (("Before", "ArrowUp", "longer → longer"), ("After", "ArrowDown", "longer → quick")):
        page.locator("select").and_(page.get_by_label(label)).press(key)
        page.get_by_role("heading", name=pair).wait_for()
        focused = "document.activeElement.labels?.[0].firstChild.textContent"
        assert page.evaluate(focused) == label
    assert page.get_by_role("status").filter(has_text="longer → quick").count() == 1  # is read out
    page.get_by_role("button", name="Swap").press("Enter")
    page.get_by_role("heading", name="quick → longer").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Swap"
    page.get_by_role("link", name="quick", exact=True).first.press("Enter")
    page.wait_for_function("document.activeElement.tagName === 'H1'")


def test_a_chart_is_drawn_anew_for_another_width(opened):
    page = opened(viewport={"width": 1280, "height": 800})
    charts_drawn(page, 1)
    widths = "['.chart svg', '.chart'].map((of) => document.querySelector(of).clientWidth)"
    for width in (400, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(f"(([drawn, there]) => drawn <= there && drawn > there - 60)({widths})")
    charts_drawn(page, 1)


@pytest.mark.parametrize("by", ["rung", "parameters"])
def test_a_mark_says_in_words_what_it_shows(opened, project, by):
    """The oracle is curves.csv, and that no text has a key of the page's data or more decimals than two."""
    page = opened()
    charts_drawn(page, 1)
    page.get_by_label("From left to right").select_option(by)
    charts_drawn(page, 1)
    seeds = {rung: reached(project, rung) for rung in SEEDS}
    expected = {f"{rung}, seed {seed}: {one:.2f} %" for rung in SEEDS for seed, one in enumerate(seeds[rung])}
    expected |= {f"{np.mean(seeds[rung]):.2f} %" for rung in SEEDS}
    said = set()
    for mark in page.locator(".chart g.mark-symbol.role-mark path").all():
        box = mark.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        said.add(page.locator(".chart [title]").get_attribute("title"))
    assert said
    assert not re.search(r"\d\.\d{3}|\w_\w", " ".join(said))
    assert all(any(part in text for part in expected) for text in said)
    assert all(re.search("seed|parameters", text) for text in said)


def test_a_test_image_with_nobody_to_read_it_is_said_so(opened):
    page = opened("draw")
    page.get_by_role("button", name="Take a test image").click()
    page.wait_for_selector(".answer")
    for box in page.locator("fieldset input").all():
        box.uncheck()
    page.get_by_text("No network is chosen to read it.").wait_for()
    assert re.fullmatch(r"Test image \d+, labelled \d\. No network is chosen to read it\.", page.inner_text("#said"))


@pytest.mark.parametrize(
    ("behind", "rungs", "said"),
    [
        (["b"], "abc", "The reports of b are .+ until this rung is trained again."),
        (["b"], "b", "The reports of b are .+ until this rung is trained again."),
        (["a", "b"], "abcde", "The reports of a, b are .+ until these rungs are trained again."),
        (["a", "b"], "ab", "The reports of all rungs are .+ until these rungs are trained again."),
        (["a", "b"], "abc", "The reports of 2 of 3 rungs, all but c, are .+ until these rungs are trained again."),
    ],
)
def test_what_is_behind_is_said(opened, behind, rungs, said):
    ladder = {"behind": behind, "rows": [{"rung": rung} for rung in rungs]}
    assert re.fullmatch(said, opened().evaluate("(ladder) => behindNote(ladder).textContent", ladder))


def test_it_paints_within_a_second(opened):
    page = opened()
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    assert page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") < 1000


def test_a_browser_that_playwright_fetched_is_found_where_the_machine_has_none(tmp_path, monkeypatch):
    fetched = tmp_path / "chrome"
    driver = SimpleNamespace(chromium=SimpleNamespace(executable_path=str(fetched)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert chromium(driver) is None
    fetched.touch()
    assert chromium(driver) == str(fetched)
    write_bytes(tmp_path / "bin/google-chrome", b"")
    (tmp_path / "bin/google-chrome").chmod(0o755)
    assert chromium(driver) == str(tmp_path / "bin/google-chrome")


# --- the folder -------------------------------------------------------------------------------------------------


def test_the_committed_ladder_takes_less_than_2_mb_without_digits(committed_site):
    assert sum(path.stat().st_size for path in committed_site.rglob("*") if path.is_file()) < 2_000_000


def test_a_published_network_comes_before_the_default_one_and_that_before_the_stores(project, tmp_path, monkeypatch):
    """Each place holds other numbers of one rung: those of the place that counts come out, with its own report."""
    folder = shutil.copytree(project, tmp_path / "three")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(store, "RUNS", Path(".runs"))
    mnist = data_sets.data_sets()[0]
    reports = data_sets.read_reports(mnist)

    def found():
        return {network.rung: network for network in networks.networks(mnist, reports)}

    stored = found()
    assert {rung: network.report for rung, network in stored.items()} == {
        rung: Path("reports/rungs", rung) for rung in SEEDS
    }
    for name in ("recipe.yaml", "curves.csv", "errors.csv"):
        shutil.copy(folder / "reports/rungs/quick" / name, folder / "reports")
    weights = {name: tensor + 1 for name, tensor in stored["quick"].model.weights.items()}
    write_tensors("data/models/seed-0/epoch-002.safetensors", weights)
    name = next(iter(weights))
    assert found()["quick"].report == Path("reports")
    assert found()["quick"].model.weights[name].equal(weights[name])

    about = {"recipe": cards.recipe_content(stored["quick"].model.recipe), "seed": 1}
    write_tensors("models/quick.safetensors", stored["longer"].model.weights, json.dumps(about))
    assert (found()["quick"].model.seed, found()["quick"].report) == (1, Path("reports/rungs/quick"))
    assert found()["quick"].model.weights[name].equal(stored["longer"].model.weights[name])
    assert found()["longer"].model.weights[name].equal(stored["longer"].model.weights[name])


def test_a_damaged_published_network_is_told(project, tmp_path):
    folder = shutil.copytree(project, tmp_path / "damaged")
    (folder / "models").mkdir()
    (folder / "models/quick.safetensors").write_bytes(b"no network")
    assert_one_clear_line(run_module("commands.page", folder), "page: models/quick.safetensors: damaged")


def test_a_project_without_a_climbed_rung_is_told(ladder, tmp_path):
    folder = shutil.copytree(ladder, tmp_path / "empty")
    shutil.rmtree(folder / "reports/rungs")
    assert_one_clear_line(run_module("commands.page", folder), "page: ", "no rung of MNIST has been climbed")
    assert not (folder / "site").exists()


def test_data_comes_out_of_its_script_as_it_went_in():
    content = {"text": "Größe", "numbers": [1, 2.5, None], "bytes": bytes(range(256))}
    script = as_script("a/b", content).decode()
    packed = re.fullmatch(r'received\("a/b", "([A-Za-z0-9+/=]+)"\);\n', script)[1]
    found = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert base64.b64decode(found.pop("bytes")) == content.pop("bytes")
    assert found == content


def test_the_old_page_stays_until_the_new_one_is_whole(tmp_path, monkeypatch):
    def fails_at_b(path, content):
        if path.name == "b.js":
            raise LadderError("the disk is full")
        write_bytes(path, content)

    def found():
        return {path.relative_to("site").as_posix() for path in Path("site").rglob("*.*")}

    monkeypatch.chdir(tmp_path)
    old, new = ({"index.html": text, f"data/{text.decode()}.js": text} for text in (b"a", b"b"))
    replace_site(old)
    with monkeypatch.context() as patch:
        # not by the module's name: another test may have imported the module anew
        patch.setitem(replace_site.__globals__, "write_bytes", fails_at_b)
        with pytest.raises(LadderError, match="full"):
            replace_site(new)
    assert found() == set(old)
    assert Path("site/index.html").read_bytes() == b"a"
    replace_site(new)
    assert found() == set(new)
    assert [path.name for path in Path().iterdir()] == ["site"]


def test_a_chart_script_that_was_changed_is_fetched_anew_or_refused(tmp_path, monkeypatch):
    right = Script("small@1", "build/small.js", hashlib.sha256(b"right").hexdigest())
    monkeypatch.setattr(charts, "SCRIPTS", (right,))
    (tmp_path / "small@1.js").write_bytes(b"changed")
    monkeypatch.setattr(charts, "_from_npm", lambda script: b"right")
    assert chart_scripts(tmp_path) == [b"right"]
    assert (tmp_path / "small@1.js").read_bytes() == b"right"
    (tmp_path / "small@1.js").unlink()
    monkeypatch.setattr(charts, "_from_npm", lambda script: b"another")
    with pytest.raises(LadderError, match="SHA-256"):
        chart_scripts(tmp_path)
    assert list(Path(tmp_path).iterdir()) == []


def packed(names):
    """Return the bytes of an npm package whose files have these names; one that ends in / is a folder."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in names:
            about = tarfile.TarInfo(f"package/{name}".rstrip("/"))
            about.type, about.size = (tarfile.DIRTYPE, 0) if name.endswith("/") else (tarfile.REGTYPE, 5000)
            archive.addfile(about, io.BytesIO(random.Random(0).randbytes(5000)))
    return content.getvalue()


def test_a_package_that_does_not_come_is_one_line(tmp_path, monkeypatch):
    """npm ends well, and leaves no file."""
    monkeypatch.setattr(charts, "SCRIPTS", (Script("small@1", "build/small.js", "0" * 64),))
    monkeypatch.setattr(packages.shutil, "which", lambda program: program)
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(
        LadderError, match=r"^npm's small@1, .+ cannot be had: no \*\.tgz came for small@1; start again$"
    ):
        chart_scripts(tmp_path)


WHOLE = packed(["LICENSE", "build/small.js"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:3000],
        WHOLE[:20] + bytes(100) + WHOLE[120:],
        packed(["LICENSE"]),
        packed(["LICENSE", "build/small.js/"]),
    ],
    ids=["empty", "half", "damaged", "no script", "a folder"],
)
def test_a_package_that_is_no_whole_one_is_one_line(tmp_path, monkeypatch, content):
    def npm_pack(command, cwd, **_):
        Path(cwd, "small-1.tgz").write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(charts, "SCRIPTS", (Script("small@1", "build/small.js", "0" * 64),))
    monkeypatch.setattr(packages.shutil, "which", lambda program: program)
    monkeypatch.setattr(packages.subprocess, "run", npm_pack)
    with pytest.raises(LadderError, match=r"^npm's small@1, .+ cannot be had: .+; start again$") as told:
        chart_scripts(tmp_path)
    assert "\n" not in str(told.value)
