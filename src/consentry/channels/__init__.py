"""Places where people decide, besides the web, the API and the command line.

The core turns what happens to a request into messages (`planning`), keeps them true (`delivery`) and lets a linked
person decide (`deciding`, `linking`). What a channel adds is in its folder: `route.py` says to whom, `render.py` how a
card looks, `send.py` how it gets there, `receive.py` how an answer comes back.
"""
