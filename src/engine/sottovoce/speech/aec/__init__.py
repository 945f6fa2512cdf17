"""Echo cancellers: base.py is their contract, every other module one of them."""
