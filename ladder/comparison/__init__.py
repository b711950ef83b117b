"""Reports as Git has them, and what differs between two of them."""
