"""Echo: how far it lags, and a stream without it."""
