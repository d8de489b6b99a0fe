"""What the verbs print: text for people, JSON for programs."""
