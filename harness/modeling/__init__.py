"""A model as an object: weights, heads, decoding, runtimes, batching, prediction, size."""
