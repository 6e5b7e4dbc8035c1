"""Agent frameworks and schedulers through the gate: one file each, which imports its framework (docs/integrations.md).

All keep the same rules. The gate is asked as close to the tool as the framework lets us, after whatever may change a
call (threat B8), about exactly what will run. A pause is the framework's own. Whatever the framework keeps or is sent
to resume with decides nothing: on resuming the gate is asked again, under the same key.
"""
