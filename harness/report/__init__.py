"""HOW IT IS SHOWN: the ladder as a table, as figures, as a page; read from results/ alone."""
