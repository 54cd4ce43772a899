"""One file per published table: run, resume, and write the card into the rooms' READMEs."""
