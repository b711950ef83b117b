"""What a stage is made of: cards, networks, augmentation, the run, statistics, pictures."""
