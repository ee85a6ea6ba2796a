"""The file as a whole: permissions, encryption, backup, restore, vacuum."""
