"""What a fitted rung is asked beside the task; never part of a run's identity."""
