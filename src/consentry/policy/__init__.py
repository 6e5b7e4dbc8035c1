"""Policy: Cedar turns an action and its facts into a verdict with reasons and obligations."""
