"""The server process: sockets, tokens, the page, threads, compression."""
