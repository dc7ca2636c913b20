"""One instance, open: lock, namespace, store, data plane, attacher, sets."""
