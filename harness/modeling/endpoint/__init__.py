"""Models behind an OpenAI-compatible server: asked over HTTP, by likelihood, or by text."""
