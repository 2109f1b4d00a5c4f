"""Messages that have crashed a server, a browser or a library of this kind, or lie about who wrote them."""
