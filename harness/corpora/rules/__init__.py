"""Rules of a filter: what is removed from a corpus or changed in it. Each is a class, registered as `rule`."""
