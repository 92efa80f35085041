"""Whether the targets are met: the assessment, its verdicts, and one conclusion for all who tell it."""
