"""Trained models in people's hands: images prepared for them, weights to give away, exports for other programs."""
