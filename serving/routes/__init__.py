"""The addresses, a module a protocol: each has ``router(service)`` and translates between the wire and `serving.service.Service`."""
