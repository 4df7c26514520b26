"""A workspace to look at: people who have talked for a week, what they do today, and go on doing while one looks.

`cast` is who they are and what they say, `history` the week as lines to import, `today` what only a running server can
do, `bustle` the life in it. `hubbub demo` puts them together.
"""
