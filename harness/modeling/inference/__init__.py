"""Reading and writing text with a model: batches, scores, generation, likelihoods. Imports torch where it must."""
