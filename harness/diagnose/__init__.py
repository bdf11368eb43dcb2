"""ADVICE THAT IS GRADED: small tasks whose truth is known, through the whole harness."""
