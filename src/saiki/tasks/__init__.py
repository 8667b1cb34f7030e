"""What is asked: one file per task. A task fits itself to data, builds its network, judges it, and answers."""
