"""Who there is and who somebody is: persons, groups, agents, sessions and tokens."""
