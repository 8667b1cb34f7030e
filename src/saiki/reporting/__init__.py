"""What is told about a model: score tables and verdicts, pictures, pages, timings."""
