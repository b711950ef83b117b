"""Images moved and resized in integers: the same pixels on any processor."""
