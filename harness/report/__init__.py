"""HOW IT IS SHOWN: Findings in words, tables and pictures; in a terminal, a page and MLflow."""
