"""What people and programs ask a workspace for, by subject; `Workspace` is all of it."""
