"""Truth that leaves a file as records or arrives from another: export, import, merge."""
