"""Names for the words of a unit's state: each unit lays out its own block, and addresses it from its own base."""


class Layout:
    """Hands out word offsets, one field after the other. All words start as zero, which must mean "empty"."""

    def __init__(self) -> None:
        self.words = 0

    def field(self, count: int = 1, align: int = 1) -> int:
        """Reserve ``count`` int64 words (aligned to ``align`` words) and return the offset of the first."""
        self.words += -self.words % align
        offset = self.words
        self.words += count
        return offset
