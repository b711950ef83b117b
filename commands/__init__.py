"""What people call beside the pipeline, as `python -m commands.<name>`."""
