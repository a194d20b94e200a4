"""AOB: one event log on which workflows, AI agents, people and live metrics act together."""
