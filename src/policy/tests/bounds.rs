//! Bounds of the work, of memory and of what a policy may contain.
