"""One folder a model. Copy a neighbour's folder to add one; the catalog finds it by its ``card.toml``."""
