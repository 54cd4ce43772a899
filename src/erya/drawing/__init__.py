"""How Erya draws: one palette, text made safe, small SVG primitives, and the views of a trace in terminal and page."""
