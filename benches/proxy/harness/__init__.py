"""What `run` is made of; each file has one idea."""
