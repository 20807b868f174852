"""What a scheduler runs: work on whole lists and stores. Jobs are handed their services and never open them."""
