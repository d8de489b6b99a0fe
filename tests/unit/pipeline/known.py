"""What a plan knows of data, for jobs that are made without a plan."""

from __future__ import annotations

from harness.core.cached_facts import KnownData, SplitCounts


def known_data(**fingerprints: str) -> KnownData:
    """Of splits by name, each with its hash."""
    return KnownData(
        source="synthetic",
        location="synthetic",
        labels=["0", "1"],
        notes=[],
        splits={
            name: SplitCounts(n=60, fingerprint=fingerprint, labelled=True, words=600, distinct=60)
            for name, fingerprint in fingerprints.items()
        },
        stands_in={},
        in_train={},
        dropped={},
        sizes={},
    )
