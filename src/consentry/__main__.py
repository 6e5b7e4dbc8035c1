"""`python -m consentry`: the command line."""

from consentry.cli import main

main()
