"""How text and its likelihood come out of a model that writes."""
