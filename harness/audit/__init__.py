"""IS THE DATA GOOD: what can be seen in train and dev before anything is trained.

Nothing here reads a target of eval: whatever audits receives `Materials`, which have none.
"""
