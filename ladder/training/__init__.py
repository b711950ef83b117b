"""A run: one recipe trained from one random seed, and its fingerprint."""
