"""Router exports on the wire: NetFlow v5 and v9, IPFIX, sFlow v5."""
