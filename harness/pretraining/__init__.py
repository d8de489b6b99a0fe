"""Pretraining: corpus to checkpoint."""
