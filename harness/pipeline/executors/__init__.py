"""What runs cells, and the process that computes one."""
