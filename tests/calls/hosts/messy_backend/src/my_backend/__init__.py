"""A backend for the messy host, in the state that such packages are in."""
