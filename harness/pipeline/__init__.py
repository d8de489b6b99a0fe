"""From a spec to its results: cells, the plan, the steps that compute cells, the executors that run them."""
