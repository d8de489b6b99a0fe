"""Results in the forms other tools and sites read: model cards, GLUE submissions, lm-evaluation-harness results."""
