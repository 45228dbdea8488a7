"""A database behind a server: `tracehouse.connect("http://host:4318", token=...)`.

```text
Database (signatures, checks) -> _engine (the functions of `tracehouse._engine.Engine`) -> _client -> `tracehouse serve`
     database: what is refused         _reading, _writing, _importing, _datasets, _sending     HTTP, retries
                                       _forms: JSON as the same objects; _rows, _cells: Arrow as the same rows
```

Loaded by the first `connect` of an address and not before: `import tracehouse` imports no part of HTTP.
"""
