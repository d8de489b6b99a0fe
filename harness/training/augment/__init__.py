"""Augmentation that takes a model: applied while one is trained, or made by another one."""
