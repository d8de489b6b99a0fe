"""What is in a corpus or in labelled data."""
