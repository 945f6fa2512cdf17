"""What the backends that call a service share: the network thread, keys, errors and clients."""
