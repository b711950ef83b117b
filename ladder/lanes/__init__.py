"""Lanes: torch's CPU operators anew, in C, the same bytes on every processor. A lane of the vector is an image."""
