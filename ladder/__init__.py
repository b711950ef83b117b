"""The library behind the stages and commands: a folder a subject; imports point one way (pyproject.toml says which)."""
