"""What the API says and takes: pydantic models at the edge, made from the frozen types inside."""
