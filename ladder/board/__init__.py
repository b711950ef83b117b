"""The ladder as a table, a page and pictures."""
