"""What every room stands on: errors, hashing, specs, plug-in tables, the store, the machine."""
