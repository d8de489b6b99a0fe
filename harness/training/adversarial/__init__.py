"""Adversarial training: perturbed embeddings, and losses that hold for them too."""
