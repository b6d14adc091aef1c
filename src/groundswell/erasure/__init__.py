"""What an erasure does to each store, one module a store; `groundswell.erase` says in which order."""
