"""Task libraries: the tasks of other packages as tasks of this one, a module or a few for each."""
