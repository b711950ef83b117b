"""What runs are worth: measured, counted, drawn, with statistics."""
