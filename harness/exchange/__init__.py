"""Results of other evaluation tools: what they say of a model, and readers that learn it from their files."""
