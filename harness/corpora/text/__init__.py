"""What one text shows: words, languages, faults, personal data, signatures."""
