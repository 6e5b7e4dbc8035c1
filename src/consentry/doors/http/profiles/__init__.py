"""What the door knows of particular APIs: language models, Okta."""
