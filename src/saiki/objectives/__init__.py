"""What training lowers: one file each, a function `loss(judged)`."""
