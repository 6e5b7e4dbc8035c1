"""E-mail: tells reviewers where to decide. Nobody decides by e-mail (threat D5). See docs/email.md."""
