"""The laws that runs keep: of a run, of a workflow and its tags, of keys. Commands in, events out."""
