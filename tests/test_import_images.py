"""A folder of one's own pictures becomes a data set, or one line says which file keeps it from being one.

The oracles are Pillow, hashlib and pandas.
"""

import hashlib
import io
import os
import re
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapes
import yaml
from PIL import Image
from projects import REPOSITORY
from safetensors.numpy import load_file

from commands import import_images
from ladder.data import folder, importing, pictures, png
from ladder.data.data_set import read_data_set
from ladder.exceptions import LadderError
from stages import download, preprocess

CLASSES = ("1", "2", "10")


def pixels_of(number, shape=(9, 7)):
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def save(path, pixels, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project with the data sets' cards, and in `pictures` ten grey images of each of three classes."""
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    (tmp_path / "rungs").mkdir()
    shutil.copy(REPOSITORY / "rungs/data_sets.yaml", tmp_path / "rungs")
    monkeypatch.chdir(tmp_path)
    for number in range(30):
        save(Path("pictures", CLASSES[number % 3], f"{number}.png"), pixels_of(number))
    return tmp_path


def bring_in(*options):
    import_images.main(["pictures", "--name", "mine", *options])
    return read_data_set("mine"), pd.read_csv("datasets/mine.csv", dtype=str, keep_default_na=False)


def forget():
    for path in ("datasets/mine.yaml", "datasets/mine.csv"):
        Path(path).unlink()


def tensors():
    download.main(["mine"])
    preprocess.main(["mine"])
    return {split: load_file(f"data/sets/mine/processed/{split}.safetensors") for split in ("train", "test")}


def in_two_passes(picture, side):
    """Resize as Pillow does, the width first."""
    bilinear = Image.Resampling.BILINEAR
    return np.asarray(picture.resize((side, picture.height), bilinear).resize((side, side), bilinear))


def test_a_folder_becomes_card_list_and_tensors(project, capsys):
    data_set, rows = bring_in("--side", "5")
    assert data_set.classes == CLASSES
    assert (data_set.channels, data_set.side) == (1, 5)
    assert rows["path"].tolist() == sorted(rows["path"], key=str.encode)
    assert [Path(path).parent.name for path in rows["path"]] == rows["label"].tolist()
    for path, sha256 in zip(rows["path"], rows["sha256"], strict=True):
        assert hashlib.sha256(Path("pictures", path).read_bytes()).hexdigest() == sha256
    assert rows.groupby("label")["split"].value_counts().to_dict() == {
        (name, split): count for name in CLASSES for split, count in (("train", 8), ("test", 2))
    }
    found = tensors()
    for split, of in found.items():
        listed = rows[rows["split"] == split]
        for image, label, path in zip(of["images"], of["labels"], listed["path"], strict=True):
            assert np.array_equal(image[0], in_two_passes(Image.open(f"pictures/{path}"), 5))
            assert CLASSES[label] == Path(path).parent.name
    values = found["train"]["images"] / 255
    assert data_set.mean == pytest.approx((values.mean(),), abs=6e-5)
    assert data_set.std == pytest.approx((values.std(),), abs=6e-5)
    assert yaml.safe_load(Path("rungs/data_sets.yaml").read_text())["data_sets"]["mine"] == "reports/mine"
    before = (REPOSITORY / "rungs/data_sets.yaml").read_text()
    assert Path("rungs/data_sets.yaml").read_text() == f"{before}  mine: reports/mine\n"
    assert "dvc exp run -n first -S data=mine" in capsys.readouterr().out


def test_the_pictures_of_the_documents_are_what_pillow_reads(tmp_path):
    shapes.draw(tmp_path, 10)
    drawn = sorted(tmp_path.rglob("*.png"))
    assert [path.parent.name for path in drawn] == [name for name in sorted(shapes.SHAPES) for _ in range(2)]
    for path in drawn:
        assert np.array_equal(np.asarray(Image.open(path)), shapes.shape(path.parent.name, int(path.stem)))


def test_the_card_of_the_documents_is_what_an_import_writes(project):
    """The example of datasets/README.md and docs/own_data.md, but for where its folder lies."""
    shapes.draw(Path("shapes"))
    import_images.main(["shapes", "--name", "shapes"])
    text = (REPOSITORY / "datasets/README.md").read_text()
    shown, rows = (re.search(f"```{kind}\n(.*?)```", text, re.DOTALL)[1] for kind in ("yaml", "csv"))
    assert Path("datasets/shapes.yaml").read_text() == shown.replace("/home/ada/shapes", "shapes")
    assert Path("datasets/shapes.csv").read_text().startswith(rows)


def test_the_memory_that_many_images_will_take_is_told(project, monkeypatch, capsys):
    """100,000 of them in colour, of side 96, were measured to take 3.5 GB; 28 pixels a side take less than is told."""
    assert folder.memory_to_read(100_000, 3, 96) == pytest.approx(3.5e9, rel=0.1)
    bring_in()
    assert "GB of memory" not in capsys.readouterr().out
    forget()
    monkeypatch.setattr(import_images, "MUCH", 0)
    bring_in()
    assert "preprocess will take about 0.5 GB of memory" in capsys.readouterr().out


def test_the_split_is_the_same_again(project):
    _, rows = bring_in()
    forget()
    assert bring_in()[1].equals(rows)
    assert set(rows["split"]) == {"train", "test"}


def test_colour_stays_unless_grey_is_asked_for(project):
    save(Path("pictures/1/colour.png"), pixels_of(99, (28, 28, 3)))
    data_set, rows = bring_in()
    assert data_set.channels == len(data_set.mean) == len(data_set.std) == 3
    found = tensors()
    split = rows.set_index("path")["split"]["1/colour.png"]
    at = rows[rows["split"] == split]["path"].tolist().index("1/colour.png")
    assert np.array_equal(found[split]["images"][at].transpose(1, 2, 0), pixels_of(99, (28, 28, 3)))
    forget()
    data_set, _ = bring_in("--grey")
    assert data_set.channels == 1
    grey = np.asarray(Image.open("pictures/1/colour.png").convert("L"))
    assert np.array_equal(tensors()[split]["images"][at][0], grey)


def test_colours_without_colour_are_grey(project):
    for number in range(30):
        save(Path("pictures", CLASSES[number % 3], f"{number}.png"), np.stack([pixels_of(number)] * 3, axis=-1))
    assert bring_in()[0].channels == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_png_is_read_as_pillow_reads_it(tmp_path, mode):
    picture = Image.fromarray(pixels_of(1, (11, 13, 4))).convert("RGBA")
    picture.putalpha(255)
    picture = picture.convert(mode)
    picture.save(tmp_path / "x.png")
    found = png.read_png((tmp_path / "x.png").read_bytes(), None)
    assert np.array_equal(found, np.asarray(Image.open(tmp_path / "x.png").convert("RGB")))


@pytest.mark.parametrize(("background", "behind"), [("black", (0, 0, 0)), ("white", (255, 255, 255))])
def test_transparent_pixels_lie_on_the_background_that_is_named(project, background, behind):
    picture = Image.fromarray(pixels_of(1, (28, 28, 4)))
    picture.save("pictures/1/1.png")
    with pytest.raises(LadderError, match=r"pictures/1/1\.png: it has transparent pixels; .*--background black, or"):
        bring_in()
    expected = Image.alpha_composite(Image.new("RGBA", picture.size, (*behind, 255)), picture).convert("RGB")
    found = png.read_png(Path("pictures/1/1.png").read_bytes(), background)
    assert abs(found.astype(int) - np.asarray(expected)).max() <= 1  # Pillow rounds otherwise
    assert bring_in("--background", background)[0].source.background == background


def test_the_picture_of_some_images_shows_every_class(project, monkeypatch):
    titles = []
    monkeypatch.setattr(pictures, "draw_image", lambda axis, image, title, inverted: titles.append(title))
    monkeypatch.setattr(preprocess, "SAMPLES", 6)
    bring_in()
    tensors()
    assert titles == ["1", "1", "10", "10", "2", "2"]  # in the order of the list


def test_groups_stay_together_and_so_does_what_shows_the_same(project):
    files = sorted(path.relative_to("pictures").as_posix() for path in Path("pictures").rglob("*.png"))
    save(Path("pictures/1/again.png"), pixels_of(0), optimize=True)
    table = pd.DataFrame({"file_name": [*files, "1/again.png"]})
    table["label"] = table["file_name"].str.split("/").str[0]
    table["group"] = [f"g{number % 10}" for number in range(30)] + ["alone"]
    table.to_csv("pictures/metadata.csv", index=False)
    data_set, rows = bring_in()
    assert data_set.groups.are == "groups"
    assert (rows.groupby("group")["split"].nunique() == 1).all()
    split = rows.set_index("path")["split"]
    assert split["1/0.png"] == split["1/again.png"]
    assert 3 <= (rows["split"] == "test").sum() <= 9
    groups = {name: set(of["groups"].tolist()) for name, of in tensors().items()}
    assert not groups["train"] & groups["test"]


def test_a_given_split_is_kept(project):
    for path in sorted(Path("pictures").rglob("*.png")):
        split = "test" if int(path.stem) >= 24 else "train"
        target = Path("split", split, path.parent.name, path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    import_images.main(["split", "--name", "mine"])
    rows = pd.read_csv("datasets/mine.csv", dtype=str)
    assert (rows["split"] == rows["path"].str.split("/").str[0]).all()
    save(Path("split/train/1/again.png"), pixels_of(24))
    forget()
    with pytest.raises(LadderError, match=r"split: train/1/again\.png and test/1/24\.png show the same"):
        import_images.main(["split", "--name", "mine"])


def test_training_images_of_one_colour_show_nothing(project):
    for split, grey in (("train", 0), ("test", 9)):
        for at, name in enumerate("ab"):
            save(Path("split", split, name, "0.png"), np.full((9, 9), grey + at * (grey > 0), np.uint8))
    with pytest.raises(LadderError, match=r"^split: all training pixels are the same"):
        import_images.main(["split", "--name", "mine"])


def image_of(name="pictures/1/0.png", pixels=None, **how):
    return lambda: save(Path(name), pixels_of(0) if pixels is None else pixels, **how)


def write(name, content):
    return lambda: (Path(name).parent.mkdir(exist_ok=True), Path(name).write_bytes(content))


def png_bytes(pixels, **how):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **how)
    return stream.getvalue()


def table(**changes):
    """Write a metadata.csv of all images, with changed columns; None leaves a column out."""

    def make():
        files = sorted(path.relative_to("pictures").as_posix() for path in Path("pictures").rglob("*.png"))
        columns = {"file_name": files, "label": [name.split("/")[0] for name in files]}
        columns |= {key: change(files) if callable(change) else change for key, change in changes.items()}
        kept = {key: values for key, values in columns.items() if values is not None}
        pd.DataFrame(kept).to_csv("pictures/metadata.csv", index=False)

    return make


def frames():
    """Return the bytes of an animated PNG."""
    stream = io.BytesIO()
    first, *others = (Image.fromarray(pixels_of(number)) for number in range(3))
    first.save(stream, "PNG", save_all=True, append_images=others)
    return stream.getvalue()


def deep_colour():
    """Return the bytes of a PNG of 16 bits a colour, which Pillow would read as 8."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(range(12)) for _ in range(2))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def without_palette():
    """Return the bytes of a PNG whose pixels are numbers of colours that it does not say."""
    stream = io.BytesIO()
    Image.fromarray(pixels_of(0)).convert("P").save(stream, "PNG")
    content = stream.getvalue()
    at = content.index(b"PLTE") - 4
    return content[:at] + content[at + 12 + int.from_bytes(content[at : at + 4], "big") :]


def column_twice():
    """Write a metadata.csv with two columns called label."""
    table()()
    path = Path("pictures/metadata.csv")
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},label", *[f"{row},1" for row in rows]]))


def keep(count):
    """Leave that many classes."""
    return lambda: [shutil.rmtree(Path("pictures", name)) for name in CLASSES[count:]]


def change_text(path, old, new):
    Path(path).write_text(Path(path).read_text().replace(old, new))


def link(name, target):
    return lambda: Path(name).symlink_to(target)


FAULTS = {
    "no images": (keep(0), "pictures: there are no images in it"),
    "one class": (keep(1), "pictures: all images are of one class, '1'"),
    "empty file": (write("pictures/1/0.png", b""), "pictures/1/0.png: the file is empty"),
    "cut off": (write("pictures/1/0.png", png_bytes(pixels_of(0))[:60]), "pictures/1/0.png: a damaged PNG"),
    "a wrong checksum": (write("pictures/1/0.png", png_bytes(pixels_of(0))[:-20] + bytes(20)), "0.png: a damaged PNG"),
    "no palette": (write("pictures/1/0.png", without_palette()), "pictures/1/0.png: a damaged PNG"),
    "a long row": (image_of(pixels=np.zeros((1, 10_001), np.uint8)), "0.png: 10001×1 pixels; at most 10,000 a side"),
    "text": (write("pictures/1/0.png", b"hello"), "pictures/1/0.png: no picture that can be read, not a PNG"),
    "JPEG inside": (image_of(format="JPEG"), "pictures/1/0.png: a JPEG, not a PNG; convert it"),
    "JPEG": (image_of("pictures/1/x.jpg"), "pictures/1/x.jpg: not a .png file; convert it"),
    "grey of 16 bits": (image_of(pixels=pixels_of(0).astype(np.uint16) * 200), "pictures/1/0.png: 16 bits a colour"),
    "colour of 16 bits": (write("pictures/1/0.png", deep_colour()), "pictures/1/0.png: 16 bits a colour"),
    "animated": (write("pictures/1/0.png", frames()), "pictures/1/0.png: an animated PNG"),
    "a name of two lines": (image_of("pictures/1/a\nb.png"), "pictures/1/a\\nb.png: a name with letters that cannot"),
    "not UTF-8": (
        lambda: Path(os.fsdecode(b"pictures/1/\xff.png")).write_bytes(png_bytes(pixels_of(77))),
        "a name with letters that cannot be printed",
    ),
    "a class of two lines": (image_of("pictures/a\nb/0.png"), "pictures/a\\nb: a name with letters that cannot"),
    "a long class": (image_of(f"pictures/{'x' * 61}/0.png"), f"pictures/{'x' * 61}/0.png: its class '{'x' * 60}…'"),
    "too deep": (image_of("pictures/1/2/3.png"), "pictures/1/2/3.png: images belong into <class>/"),
    "too high": (image_of("pictures/3.png"), "pictures/3.png: images belong into <class>/"),
    "a third split": (
        lambda: (image_of("pictures/train/1/0.png")(), image_of("pictures/val/1/0.png")()),
        "pictures/1/0.png: beside the folders train and test",
    ),
    "a link out": (link("pictures/1/0l.png", "/etc/hostname"), "pictures/1/0l.png: a link out of the folder"),
    "a link to nothing": (link("pictures/1/0l.png", "nothing"), "pictures/1/0l.png: a link that leads nowhere"),
    "a link to itself": (link("pictures/1/0l.png", "0l.png"), "pictures/1/0l.png: a link that leads nowhere"),
    "a link to a folder": (link("pictures/1/loop", ".."), "pictures/1/loop: a link to a folder"),
    "a pipe": (lambda: os.mkfifo("pictures/1/0p.png"), "pictures/1/0p.png: neither a file nor a folder"),
    "no label column": (table(label=None), "pictures/metadata.csv: there is no column label"),
    "two label columns": (column_twice, "metadata.csv: there are 2 columns label"),
    "no file names": (
        lambda: (table()(), change_text("pictures/metadata.csv", "file_name,label", "file,label")),
        "pictures/metadata.csv: there is no column file_name",
    ),
    "a table in Latin-1": (write("pictures/metadata.csv", b"file_name,label\n1/\xe4.png,1\n"), "csv: not UTF-8"),
    "a misspelt column": (
        table(groups="one"),
        "metadata.csv: column 'groups': is it 'group'? Name it so, or take it out",
    ),
    "a label missing": (table(label=lambda files: ["", *"12345678901234567890123456789"]), "1/0.png has no label"),
    "a label of blanks": (
        table(label=lambda files: ["  ", *["a", "b"] * 14, "a"]),
        "pictures/metadata.csv: 1/0.png has no label",
    ),
    "an empty table": (write("pictures/metadata.csv", b""), "pictures/metadata.csv: it is empty; give it the columns"),
    "a padded class": (image_of("pictures/1 /0.png"), "pictures/1 /0.png: its class '1 ': a name has 1 to 60 letters"),
    "a row without a file": (
        table(file_name=lambda files: [*files[1:], "1/z.png"]),
        "metadata.csv: there is no file 1/z.png, which a row names",
    ),
    "a file twice": (table(file_name=lambda files: [*files[1:], files[1]]), "is there twice"),
    "another split": (table(split="validation"), "1/0.png has the split 'validation'; train and test will do"),
    "a split missing": (table(split=lambda files: ["", *["train"] * 29]), "1/0.png has no split, but others have"),
    "all to train on": (table(split="train"), "pictures: no image is left for test"),
    "a class to test with alone": (
        table(split=lambda files: ["test" if file.startswith("10") else "train" for file in files]),
        "pictures: class '10' has no training image",
    ),
    "a group on both sides": (
        table(group="one", split=lambda files: ["train", "test"] * 15),
        "pictures: group 'one' is in train and in test",
    ),
    "all of one group": (table(group="one"), "pictures: no image is left for test"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_the_files_name_and_nothing_is_written(project, fault):
    make, said = FAULTS[fault]
    make()
    before = sorted(Path("datasets").iterdir())
    with pytest.raises(LadderError) as told:
        bring_in()
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert str(told.value).isprintable()
    assert sorted(Path("datasets").iterdir()) == before
    assert "mine" not in Path("rungs/data_sets.yaml").read_text()


@pytest.mark.parametrize("broken", ["", "data_sets: [", "data_sets: [mnist]", None])
def test_without_a_place_to_name_it_nothing_is_written(project, broken):
    file = Path("rungs/data_sets.yaml")
    file.unlink() if broken is None else file.write_text(broken)
    with pytest.raises(LadderError, match=r"^rungs/data_sets\.yaml: "):
        bring_in()
    assert not list(Path("datasets").glob("mine*"))


def test_small_classes_have_an_image_to_test_with_and_one_to_learn(project, capsys):
    for number in range(40):
        save(Path("pictures", f"small {number // 2}", f"{number}.png"), pixels_of(100 + number))
    save(Path("pictures/lone/0.png"), pixels_of(99))
    rows = bring_in()[1]
    for name, of in rows.groupby("label")["split"]:
        assert set(of) == ({"train"} if name == "lone" else {"train", "test"})
    assert "no image to test with: lone\n" in capsys.readouterr().out


def test_of_two_groups_the_smaller_is_for_testing(project):
    table(group=lambda files: ["small"] * 3 + ["large"] * 27, label=lambda files: ["a", "b"] * 15)()
    rows = bring_in()[1]
    assert set(rows["group"][rows["split"] == "test"]) == {"small"}


def test_a_row_is_missing(project):
    table()()
    save(Path("pictures/1/new.png"), pixels_of(99))
    with pytest.raises(LadderError, match=r"metadata\.csv: no row for 1/new\.png; add one"):
        bring_in()


def test_odd_names_are_only_names(project):
    odd = ["-x.png", "a,b.png", 'a"b.png', "ä b.png", "x" * 200 + ".png", ".hidden"]
    for number, name in enumerate(odd):
        save(Path("pictures/1", name), pixels_of(90 + number), format="PNG")
    rows = bring_in()[1]
    assert {Path(path).name for path in rows["path"]} & set(odd) == set(odd) - {".hidden"}
    assert len(rows) == 30 + len(odd) - 1
    assert sum(len(of["images"]) for of in tensors().values()) == len(rows)


def test_other_columns_of_the_table_are_left_alone(project):
    table(camera="old", width="9")()
    assert len(bring_in()[1]) == 30


@pytest.mark.parametrize("percent", ["1", "20", "50"])
def test_a_class_of_two_or_more_images_is_tested_however_small(project, percent):
    for path in Path("pictures/1").iterdir():
        if path.stem not in ("0", "3"):
            path.unlink()
    _, rows = bring_in("--test", percent)
    counts = rows.groupby("label")["split"].value_counts()
    assert counts["1", "test"] == counts["1", "train"] == 1
    assert counts["2", "test"] == max(1, round(int(percent) / 10))


def test_a_class_that_is_renamed_in_the_card_alone_is_named(project):
    bring_in()
    card = Path("datasets/mine.yaml")
    card.write_text(card.read_text().replace("['1', '2', '10']", "['1', two, '10']"))
    download.main(["mine"])
    with pytest.raises(
        LadderError, match=r"^datasets/mine\.yaml: classes: '2' is missing, which datasets/mine\.csv has"
    ):
        preprocess.main(["mine"])


def test_a_mislabelled_image_that_is_not_there_is_named(project):
    bring_in()
    card = Path("datasets/mine.yaml")
    content = card.read_text()
    download.main(["mine"])
    card.write_text(f"{content}mislabelled: [0, 6]\n")
    with pytest.raises(
        LadderError, match=r"^datasets/mine\.yaml: mislabelled: there is no test image 6; .* last is 5$"
    ):
        preprocess.main(["mine"])
    assert not Path("data/sets/mine/processed").exists()
    card.write_text(f"{content}mislabelled: [0, 5]\n")
    preprocess.main(["mine"])


@pytest.mark.parametrize("name", ["mnist", "rungs"])
def test_a_name_that_is_taken(project, name):
    with pytest.raises(LadderError, match="take another name"):
        import_images.main(["pictures", "--name", name])


def test_names_that_look_like_numbers_are_names(project):
    for old, new in (("1", "²"), ("2", "2²")):
        Path("pictures", old).rename(Path("pictures", new))
    assert set(bring_in()[0].classes) == {"²", "2²", *{path.name for path in Path("pictures").iterdir()}}


def test_a_line_that_came_while_the_pictures_were_read_stays(project, monkeypatch):
    def read(*given):
        listed = Path("rungs/data_sets.yaml")
        listed.write_text(f"{listed.read_text()}  theirs: reports/theirs\n")
        return read_pictures(*given)

    read_pictures = importing.read_pictures
    monkeypatch.setattr(importing, "read_pictures", read)
    bring_in()
    before = (REPOSITORY / "rungs/data_sets.yaml").read_text()
    expected = f"{before}  theirs: reports/theirs\n  mine: reports/mine\n"
    assert Path("rungs/data_sets.yaml").read_text() == expected


def test_a_list_of_data_sets_that_broke_meanwhile_leaves_nothing(project, monkeypatch):
    def read(*given):
        Path("rungs/data_sets.yaml").write_text("data_sets:\n")
        return read_pictures(*given)

    read_pictures = importing.read_pictures
    monkeypatch.setattr(importing, "read_pictures", read)
    with pytest.raises(LadderError, match="there is no mapping data_sets"):
        bring_in()
    assert not list(Path("datasets").glob("mine*"))


def change_list(old, new):
    """Change the list of the images, and let the card name what came out."""
    change_text("datasets/mine.csv", old, new)
    card, content = Path("datasets/mine.yaml"), Path("datasets/mine.csv").read_bytes()
    card.write_text(
        re.sub("(manifest: )[0-9a-f]{64}", rf"\g<1>{hashlib.sha256(content).hexdigest()}", card.read_text())
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path,", "file,", r"^datasets/mine\.csv: its columns are not path, sha256, label, split, group"),
        (",test,", ",tset,", r"^datasets/mine\.csv: line \d+: the split 'tset' is neither train nor test"),
        ("path,", '"path,', r"^datasets/mine\.csv: not CSV \(.*EOF inside string"),
    ],
)
def test_a_list_written_by_hand_is_checked(project, old, new, said):
    bring_in()
    change_list(old, new)
    with pytest.raises(LadderError, match=said):
        download.main(["mine"])


def change(path):
    save(Path(path), pixels_of(77))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda: change("pictures/1/0.png"), r"^pictures/1/0\.png: changed since it was imported"),
        (lambda: Path("pictures/1/0.png").unlink(), r"^pictures/1/0\.png: No such file"),
        (lambda: shutil.rmtree("pictures"), r"^there is no folder pictures with the images of mine; name it by DATA_"),
        (lambda: Path("datasets/mine.csv").write_text("path\n"), r"^datasets/mine\.csv: not the list that datasets/"),
        (lambda: Path("datasets/mine.csv").unlink(), r"^datasets/mine\.csv: No such file"),
    ],
)
def test_what_changed_after_the_import_is_named(project, damage, said):
    bring_in()
    damage()
    with pytest.raises(LadderError, match=said):
        download.main(["mine"])


def test_the_folder_may_lie_elsewhere_and_hold_more(project, monkeypatch):
    bring_in()
    Path("pictures").rename("moved")
    save(Path("moved/1/more.png"), pixels_of(99))
    monkeypatch.setenv("DATA_SOURCE", "moved")
    assert sum(len(of["images"]) for of in tensors().values()) == 30


def test_one_variable_names_a_folder_with_a_folder_for_each_data_set(project, monkeypatch, capsys):
    bring_in()
    Path("all").mkdir()
    Path("pictures").rename("all/mine")
    monkeypatch.setenv("DATA_SOURCE", "all")
    assert sum(len(of["images"]) for of in tensors().values()) == 30
    assert "checked, from all/mine" in capsys.readouterr().out
