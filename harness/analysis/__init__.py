"""WHAT THE RUNS SHOW: from results/ to Findings, as numbers; report/ words and draws them."""
