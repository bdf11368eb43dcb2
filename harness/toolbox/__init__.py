"""Tools that a task can declare: a query of a database, a search of the corpus, a function."""

from harness.toolbox.function import Function
from harness.toolbox.search import Search
from harness.toolbox.sql import Sql

__all__ = ["Function", "Search", "Sql"]
