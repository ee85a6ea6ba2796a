"""Text that must not be stored or obeyed: secrets, private passages, instructions in stored text."""
