"""Augmentation: further training examples made of those there are. An operation on text a class, plug-ins of the kind
`augmentation`.
"""
