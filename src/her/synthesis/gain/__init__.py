"""Has a thought earned its place? Its gain in likelihood of what the book's character then really says."""
