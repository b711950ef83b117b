"""What a card means in torch: networks, losses, outputs."""
