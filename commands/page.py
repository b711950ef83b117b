"""Build the page: the ladder to look at and to try, as one folder that opens from a file, without a network.

Usage:  python -m commands.page
Reads:  reports/, rungs/cards/, datasets/; where they are there: docs/records.yaml, data/sets/ (pictures of
        test images), models/, data/models/ and .runs/ (networks that read a digit)
Writes: site/, anew; open site/index.html. .page/, what the compiler and npm keep
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ladder.command import parser, run_stage
from ladder.exceptions import LadderError
from ladder.files import write_bytes

if TYPE_CHECKING:
    from ladder.site.data_sets import DataSet

SITE = Path("site")
CACHE = Path(__file__).parents[1] / ".page"  # beside the code, as .lanes/ is


def data_of(data: "DataSet") -> dict[str, object]:
    """Return {name: content} of a data set's files: its ladder, rungs, pairs, networks and test images."""
    from ladder.site import facts, networks
    from ladder.site.data_sets import read_images, read_reports

    reports = read_reports(data)
    if not reports:
        raise LadderError(f"no rung of {data.title} has been climbed: there is no {data.reports}/")
    images = read_images(data)
    found = [networks.packed(network) for network in networks.networks(data, reports)]
    shown = [{key: network[key] for key in ("rung", "seed", "parameters", "accuracy")} for network in found]
    content = {
        "ladder": facts.ladder_facts(data, reports) | {"networks": shown, "pictures": images is not None},
        "pairs": facts.pair_facts(reports),
        "writers": facts.writers_of(reports),
    }
    content |= {f"rungs/{rung}": facts.rung_facts(data, rung) for rung in reports}
    content |= {f"networks/{network['rung']}": network for network in found}
    if images is not None:
        content["images"] = images
    return {f"{data.name}/{name}": part for name, part in content.items()}


def replace_site(files: Mapping[str, bytes]) -> None:
    """Let SITE hold these files, {path: content}, and no others. It holds the old ones until all are written."""
    making, old = SITE.with_suffix(".tmp"), SITE.with_suffix(".old.tmp")
    for left_over in (making, old):
        shutil.rmtree(left_over, ignore_errors=True)
    for path, content in files.items():
        write_bytes(making / path, content)
    if SITE.exists():
        SITE.rename(old)
    making.rename(SITE)
    shutil.rmtree(old, ignore_errors=True)


def main(given: list[str] | None = None) -> None:
    parser("commands.page", __doc__).parse_args(given)
    # these import torch, which takes seconds
    from ladder.site.charts import chart_scripts
    from ladder.site.data_sets import data_sets
    from ladder.site.folder import page_files
    from ladder.site.kernels import web_assembly

    shown = data_sets()
    names = [{"name": one.name, "title": one.title, "drawable": one.drawable} for one in shown]
    data = {"sets": names, "kernels": web_assembly(CACHE)}
    for one in shown:
        data |= data_of(one)
    files = page_files(chart_scripts(CACHE), data)
    replace_site(files)
    pictures = sum(len(content) for path, content in files.items() if path.endswith("/images.js"))
    size = (sum(map(len, files.values())) - pictures) / 1e6
    print(f"page: {SITE}/index.html; {size:.2f} MB, and {pictures / 1e6:.2f} MB of pictures, loaded when asked for")
    for one in shown:
        if not one.images.is_file():
            bring = f"`dvc repro rungs/dvc.yaml:preprocess@{one.name}` brings them; then `make page` again"
            print(f"page: it has no pictures of {one.title}: {bring}")


if __name__ == "__main__":
    run_stage("page", main)
