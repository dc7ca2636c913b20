"""Every change in its fixed order: compile, record, write, switch, commit; and the recovery of a broken one."""
