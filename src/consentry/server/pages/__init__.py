"""The web inbox: pages for people. It decides nothing by itself; every change goes through the gate's verbs."""
