"""What a session does, counted: its notices, and pictures of its engine, queues and purse, as metrics and traces."""
