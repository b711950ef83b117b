"""What people read of a comparison: nothing that they wrote acts in a comment, every list has its bound."""

import re
import time

import pytest
from made_up import RECIPE

from ladder import cards
from ladder.comparison.markdown import escaped, markdown
from ladder.comparison.pictures import LEGEND, caption
from ladder.comparison.recipes import recipe_changes, value_text, written_changes

FACTS = {"before": "a", "after": "b", "comparisons": [], "not_measured": [], "new_rungs": [], "lost_rungs": []}


def image(index, before, after):
    return {"index": index, "label": 8, "read_as": 3, "misread_by": [before, after], "writer": None, "kind": None}


def comparison(**keys):
    """Return the facts on two rungs, as `compare` returns them."""
    row = {"metric": "accuracy", "before": 99.0, "after": 99.1, "change": 0.1, "low": 0.05, "high": 0.15}
    images = {"fixed": [], "broken": [], "net": 0}
    writers = {"change": 0.1, "low": 0.04, "high": 0.16, "verdict": "better"}
    facts = {"before": "a", "after": "b", "seeds": [4, 4], "test_images": 10_000, "verdict": "better"}
    facts |= {"change": 0.1, "low": 0.05, "high": 0.15, "margin": 0.14, "again": 0.9, "collapsed": []}
    facts |= {"same_results": False, "metrics": [row], "new_writers": writers, "writers_known": True}
    facts |= {"other_images": "digits of other people", "classes": [str(digit) for digit in range(10)]}
    facts |= {"one_recipe": False, "of_another_version": [], "maker": "writer"}
    return facts | {"images": images, "recipe": [], "lines": {}} | keys


def text_of(**keys):
    return markdown(FACTS | {"comparisons": [comparison(**keys)]})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("net7_rotated", "net7_rotated"),
        ("HEAD~1 (net7)", "HEAD~1 (net7)"),
        ("HEAD@{1}", "HEAD@{1}"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("<!-- /ladder -->", "&lt;!-- /ladder --&gt;"),
        ("&lt;", "&amp;lt;"),
        ("a|b", "a\\|b"),
        ("`rm`", "\\`rm\\`"),
        ("**x** _y_", "\\*\\*x\\*\\* \\_y\\_"),
        ("![x](y)", "!\\[x\\](y)"),
        ("\\|", "\\\\\\|"),
        ("one\ntwo\r\n\ttwo", "one two two"),
        ("\x1b[31mred\u202e", " \\[31mred "),
        ("@everyone", "@\u200beveryone"),
        ("hi @ada, @org/team", "hi @\u200bada, @\u200borg/team"),
        ("ada@example.org", "ada@example.org"),
    ],
)
def test_text_is_shown_and_does_nothing(text, shown):
    assert escaped(text) == shown


@pytest.mark.parametrize("evil", ["<img src=x>", "@everyone", "a`b", "x|y", "one\n\n# two"])
def test_no_name_acts_in_a_comment(evil):
    facts = FACTS | {"before": evil, "after": evil, "lost_rungs": [evil], "not_measured": [f"{evil}: of another"]}
    facts["comparisons"] = [comparison(before=evil, after=evil, recipe=[f"layer 1: {evil} → relu"], seeds=[1, 4])] * 2
    text = markdown(facts)
    assert "<" not in text
    assert not re.search(r"(?<!\w)@\w", text)
    assert not re.search(r"(?<!\\)`", text)
    assert all(line.count("|") in (0, 6) for line in text.replace("\\|", "").splitlines())
    assert not re.search("^#", text, re.MULTILINE)


def test_a_parameter_cannot_leave_its_block():
    text = text_of(lines={"params.yaml": ["+```", "+````` @everyone", "+\x1b[31m", "+" + "x" * 1000]})
    assert "``````diff\n+```\n+````` @everyone\n+ [31m\n+" in text
    assert text.endswith("x…\n``````")
    assert "x" * 201 not in text


def test_ten_images_are_shown_and_said_to_be_the_most_consistent():
    for count, heading in ((1, "Fixed:"), (10, "Fixed:"), (11, "Fixed, the 10 most consistent:")):
        images = [image(100 + place, 4, 0) for place in range(count)]
        text = text_of(images={"fixed": images, "broken": [], "net": count})
        assert f"\n{heading}\n" in text
        assert text.count(": an 8 read as 3, by 4/4 seeds before, 0/4 after") == min(count, 10)
        assert "image 109:" in text or count < 10
        assert "image 110:" not in text


def test_forty_changes_are_shown():
    for count, more in ((40, 0), (41, 1), (60, 1)):
        changed = [f"layer {place}: relu → gelu" for place in range(count)]
        text = text_of(recipe=changed, lines={"params.yaml": [f"+x{place}: 1" for place in range(count)]})
        assert text.count("relu → gelu") == text.count("+x") == min(count, 40)
        assert text.count(f"... and {count - 40} more") == 2 * more


def test_no_line_is_taken_for_the_number_of_an_issue():
    text = text_of(images={"fixed": [image(7, 4, 0)], "broken": [image(8, 0, 4)], "net": 0})
    assert not re.search(r"#\d", text)


def test_a_row_without_values_is_left_out():
    row = comparison()["metrics"][0]
    empty = row | {"metric": "holdout_accuracy", "before": None, "after": None, "change": None}
    text = text_of(metrics=[row, empty, empty | {"metric": "reached_epoch", "after": 3}])
    assert "holdout" not in text
    assert re.search(r"\| first epoch at the target \| +– \| +3 \| +– \|", text)


def test_a_picture_says_what_its_numbers_are():
    four_and_ten = comparison(seeds=[4, 10])
    assert caption(image(659, 3, 1), four_and_ten) == "image 659\n8 → 3\n3/4 → 1/10"
    written = image(659, 3, 1) | {"writer": 2210, "kind": "employees"}
    assert caption(written, four_and_ten) == "image 659\nwriter 2210\n8 → 3\n3/4 → 1/10"
    assert LEGEND.startswith("Above each image: its number, who made it")


def test_a_changed_image_is_listed_with_its_writer():
    written = image(659, 3, 1) | {"writer": 2210, "kind": "<employees>"}
    text = text_of(images={"fixed": [written], "broken": [], "net": 1})
    assert "- image 659 (writer 2210, one of the &lt;employees&gt;): an 8 read as 3, by 3/4 seeds before" in text


CONV = {"conv": {"out": 4, "kernel": 3}}


@pytest.mark.parametrize(
    ("before", "after", "phrases"),
    [
        ([CONV, "relu"], [CONV, "relu"], []),
        ([CONV, "batch_norm", "relu"], [CONV, "batch_norm", "gelu"], ["layer 3: relu → gelu"]),
        ([CONV, "relu"] * 2, [CONV, "gelu"] * 2, ["layer 2: relu → gelu", "layer 4: relu → gelu"]),
        ([CONV, "relu"], ["tanh", "relu"], ["layer 1: conv out 4, kernel 3 → tanh"]),
        (["relu"], ["relu", {"dropout": {"p": 0.1}}], ["layer 2 is new: dropout p 0.1"]),
        ([CONV, "relu", "flatten"], [CONV, "flatten"], ["layer 2 is gone: relu"]),
        (["a", "relu", "flatten"], ["tanh", "flatten"], ["layer 1: a → tanh", "layer 2 is gone: relu"]),
        (["a", "b", "relu"], ["x", "a", "b", "gelu"], ["layer 1 is new: x", "layer 4 (was 3): relu → gelu"]),
        ([], ["relu"], ["layer 1 is new: relu"]),
        (["a"] * 501, ["a"] * 502, ["network: 501 → 502 layers"]),
    ],
)  # fmt: skip
def test_a_change_of_the_network_is_said_layer_by_layer(before, after, phrases):
    assert written_changes(before, after) == phrases


def test_a_change_of_a_recipe_is_said_key_by_key():
    before = {"rung": "a", "network": ["relu"], "epochs": 5, "schedule": "constant", "fingerprint": "0" * 64}
    sgd = {"sgd": {"momentum": 0.9, "nesterov": True}}
    after = {"rung": "b", "network": ["relu"], "epochs": 3, "schedule": "constant", "augment": [], "optimizer": sgd}
    assert recipe_changes(before, after | {"fingerprint": "12345678" * 8}) == [
        "epochs: 5 → 3",
        "optimizer: none → sgd momentum 0.9, nesterov yes",
        "fingerprint: 00000000 → 12345678",
    ]
    assert recipe_changes(before, before | {"rung": "b"}) == []


def test_a_network_that_cards_can_read_is_said_in_their_words():
    before = cards.recipe_content(RECIPE) | {"rung": "a"}
    linear, softmax = before["network"][1:]
    after = before | {"network": ["flatten", linear, "relu", softmax]}
    assert recipe_changes(before, after) == ["layer 3 is new: relu"]
    nested = before | {"network": ["flatten", {"residual": ["gelu"]}, linear, softmax]}
    assert recipe_changes(before, nested) == ["layer 2 is new: residual", "layer 2.1 is new: gelu"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_huge_network_takes_no_time(inside):
    start = time.monotonic()
    before, after = (["relu"] * count for count in (8000, 8001))
    content = cards.recipe_content(RECIPE) | {"rung": "a"}
    first, last = ([{"residual": layers}] if inside else layers for layers in (before, after))
    assert len(recipe_changes(content | {"network": first}, content | {"network": last})) == 1
    assert time.monotonic() - start < 3


def test_a_network_that_cards_cannot_read_is_compared_as_it_is_written():
    before, after = ({"network": ["flatten", word]} for word in ("old_word", "relu"))
    assert recipe_changes(before, after) == ["layer 2: old_word → relu"]
    assert recipe_changes({"network": "x"}, {}) == ["layer 1: x → none"]


def test_a_value_of_any_kind_has_words():
    assert value_text([{"rotate": {"degrees": 7.0}}, "flip"]) == "rotate degrees 7.0; flip"
    assert value_text(None) == value_text([]) == "none"
    assert len(value_text("x" * 1000)) == 201


def test_a_list_of_verdicts_says_which_are_of_one_recipe():
    """Or a better engine, or luck, would read as a better recipe."""
    both = [comparison(), comparison(after="c", one_recipe=True), comparison(one_recipe=True, same_results=True)]
    lines = markdown(FACTS | {"comparisons": both}).splitlines()[:3]
    assert [" **Both are of the same recipe**, " in line for line in lines] == [False, True, False]
    assert lines[1].startswith("- **c is better than a**")


@pytest.mark.parametrize(
    ("names", "warning"),
    [
        ([], ""),
        (["a"], "**The results of a are of another version of this project**"),
        (["a", "b"], "**Both results are of another version of this project**"),
    ],
)
def test_results_of_another_version_are_told(names, warning):
    """Two of them can be compared with each other; one cannot be with what this version computes."""
    text = text_of(of_another_version=names)
    assert warning in text
    assert text.count("another version") == bool(names)
    assert ("before you judge a recipe" in text) == (len(names) == 1)
