"""The ladder as a static page: results, networks, kernels and scripts in one folder that opens from a file."""
