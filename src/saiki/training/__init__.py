"""Training: the loop, its options, what it reports, and how it resumes. It knows no task."""
