"""The report of a project: what is known of a topic, gathered once and told three ways.

`facts` gathers, a module a section turns facts into `blocks` (every number is written out there, once), and `page`, `markdown` and
`slides` lay the same blocks out. `groundswell.report` is the stage.
"""
