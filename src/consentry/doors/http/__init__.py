"""The HTTP door: a reverse proxy before which each request is judged, paused, recorded, and its answer masked."""
