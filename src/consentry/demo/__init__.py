"""The demo: invented people, a pipeline that wants to export them, and the story of what happens then."""
