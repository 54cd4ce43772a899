"""The command line ``erya``: one small file a group of verbs. It knows tasks and the catalog, never a model."""
