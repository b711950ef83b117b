"""Data sets and their splits, images held out, augmentation."""
