"""The protocols through which the rooms use the outside; a backend keeps what each promises."""
