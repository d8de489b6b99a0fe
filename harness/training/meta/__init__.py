"""Meta-learning: several tasks first, so that a model adapts to another one by few examples."""
