"""Engine.IO v4 as its server: sessions over long-polling and WebSocket, and the way from one to the other.

What it does is what the reference server does (`engine.io` on Node, 6.6), to the byte, unless a comment says so.
"""
