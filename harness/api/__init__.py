"""The Python API: a function for each verb of the command line, from what is asked for to a typed result."""
