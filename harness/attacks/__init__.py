"""Attacks on finished models: small changes of texts that make a model answer another class."""
