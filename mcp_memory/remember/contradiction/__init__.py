"""What a new statement changes in an older one."""
