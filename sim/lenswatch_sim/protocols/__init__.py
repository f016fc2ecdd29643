"""Messages and streams of cameras and platforms as bytes; no sockets, no clocks.

Live nodes send them over loopback, written captures hold them in packets.
"""
