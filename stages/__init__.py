"""One script a stage, run as `python -m stages.<name>`: files in, files out. None imports another."""
